"""`smoothcert certify`: certificates for the images of a source."""

from pathlib import Path
from typing import Any

import click

from smoothcert.cli.running import run_options, start_run


@click.command("certify")
@run_options
@click.option("--n0", type=int, help="Selection samples [default: 100]; the pilot's, 500.")
@click.option("--n", default=100_000, show_default=True, help="Estimation samples, at most.")
@click.option("--radii", help="Table mode: certify at these radii, such as 0,0.5,1.")
@click.option(
    "--setting",
    type=click.Choice(["strict", "fast"]),
    help="Of table mode: how much accuracy may be lost for samples [default: strict].",
)
@click.option("--tolerance", type=float, help="Radius mode: the part of a radius to give up.")
@click.option("--samples-price", type=float, help="Radius mode: radius/sigma per 100,000 samples.")
@click.option("--label-aware", is_flag=True, help="Stop where the label cannot be certified.")
@click.option("--family-wise", type=int, metavar="M", help="alpha is for M images together.")
@click.option(
    "--transfer-to",
    "reference",
    type=click.Path(path_type=Path),
    metavar="REFERENCE",
    help="Certify this model too, through how rarely its votes differ from MODEL's.",
)
@click.option("--n-zeta", type=int, help="Paired samples [default: n / 10, at least 1000].")
@click.option("--alpha-zeta", type=float, help="Further failure probability [default: alpha].")
def command(
    n0: int | None,
    n: int,
    alpha: float,
    radii: str | None,
    setting: str | None,
    tolerance: float | None,
    samples_price: float | None,
    label_aware: bool,
    family_wise: int | None,
    reference: Path | None,
    n_zeta: int | None,
    alpha_zeta: float | None,
    **options: Any,
) -> None:
    """Certify the images of SOURCE with MODEL smoothed by noise of level SIGMA.

    With probability at least 1 - ALPHA per image, the smoothed classifier's prediction is constant
    within the radius that OUT.tsv states. The same command resumes a log that was interrupted.
    With --transfer-to, the columns *_transfer certify REFERENCE with probability at least
    1 - (ALPHA + ALPHA_ZETA).
    """
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.statistics.recorded import CertifyOptions

    if reference is None and (n_zeta is not None or alpha_zeta is not None):
        raise InputError("n-zeta and alpha-zeta are of a transfer only: give --transfer-to too")
    if reference is not None and n_zeta is None:
        n_zeta = max(1000, n // 10)
    asked = CertifyOptions(
        options["sigma"],
        n0,
        n,
        alpha,
        None if radii is None else _radii(radii),
        setting,
        tolerance,
        samples_price,
        label_aware,
        family_wise,
        n_zeta,
        alpha_zeta,
    )
    notes = {} if family_wise is None else {"family_wise": family_wise}
    start_run(asked.procedure, notes=notes, reference=reference, **options)


def _radii(text: str) -> tuple[float, ...]:
    from smoothcert.engine.base.errors import InputError

    try:
        return tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        raise InputError(
            f"radii {text!r} are no list of numbers: expected 0,0.5,1 for instance"
        ) from None
