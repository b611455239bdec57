"""`smoothcert audit`: is this log what its manifest says?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from smoothcert.engine.models.model import Model


@click.command("audit")
@click.argument("log", type=click.Path(path_type=Path), metavar="LOG.tsv")
@click.argument("source")
@click.option("--rows", default=20, show_default=True, help="Images to certify again.")
@click.option("--model", type=click.Path(path_type=Path), help="[default: where the run found it]")
@click.option("--transfer-to", "reference", type=click.Path(path_type=Path),
              help="[default: where the run found it]")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Chooses the images.")
def command(
    log: Path, source: str, rows: int, model: Path | None, reference: Path | None, seed: int
) -> None:
    """Check LOG.tsv: every row's radius from its count, and some images certified again.

    Exit 0 where all is as logged, 1 where it is not.
    """
    from smoothcert.engine.backends.base import Backend
    from smoothcert.engine.backends.opening import open_backend
    from smoothcert.engine.backends.pair import open_pair
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.base.machine import describe_machine
    from smoothcert.engine.log.manifest import read_manifest
    from smoothcert.engine.noise.lattice import LatticeGaussian
    from smoothcert.engine.run.audit import audit_log
    from smoothcert.engine.sources import open_source
    from smoothcert.engine.statistics.recorded import recorded_procedure

    if rows < 0:
        raise InputError(f"rows {rows} is too small: expected at least 0")
    manifest = read_manifest(log)
    run, sessions = manifest["run"], manifest.get("sessions") or [{}]
    procedure = recorded_procedure(run)
    law = LatticeGaussian(run["sigma"])
    opened = _logged_model(log, model or sessions[-1].get("model_path"), run["model"], "--model")
    backend: Backend = open_backend(opened, law, run["seed"],
                                    backend=run["backend"], device=run["device"],
                                    precision=run.get("precision"))  # fmt: skip
    if "transfer_to" in run:
        other = _logged_model(log, reference or sessions[-1].get("reference_path"),
                              run["transfer_to"], "--transfer-to")  # fmt: skip
        backend = open_pair(opened, backend, other, law, run["seed"])
    session = {**describe_machine(), "backend": backend.describe()}
    images = open_source(source, opened.spec, opened.num_classes)
    report = audit_log(log, images, lambda: backend, procedure, session, rows, seed)
    for finding in report.findings:
        click.echo(finding)
    manner = "bit for bit" if report.exact else "within the tolerance for another machine"
    click.echo(
        f"{log}: {report.rows} rows recomputed, {report.repeated} certified again and compared "
        f"{manner}: {len(report.findings) or 'no'} findings"
    )
    if report.findings:
        sys.exit(1)


def _logged_model(log: Path, found: Any, described: Any, option: str) -> "Model":
    """The model file at `found`, which must be the one the manifest describes."""
    from smoothcert.engine.base.errors import InputError
    from smoothcert.export.opening import open_model

    if not found:
        raise InputError(f"the manifest of {log} names no model file: give {option}")
    opened = open_model(Path(found))
    if opened.sha256 != described["sha256"]:
        raise InputError(
            f"model {found} is not the log's: sha256 {opened.sha256[:16]}... against "
            f"{described['sha256'][:16]}...; give {option}"
        )
    return opened
