"""`certify` and `predict` from Python: what the commands of these names do, with their options."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.run.budget.amount import Budget
from smoothcert.engine.run.estimate import Estimate
from smoothcert.engine.statistics.procedures import Predict
from smoothcert.keywords import CertifyKeywords, PredictKeywords, RunOptions
from smoothcert.numbers import numbers_of
from smoothcert.options import CertifyOptions, modes_of
from smoothcert.ready import ready
from smoothcert.run import Run
from smoothcert.several import MakeProcedure, levels_of


@overload
def certify(
    model: Any,
    data: Any,
    *,
    sigma: float,
    out: str | Path | None = None,
    **options: Unpack[CertifyKeywords],
) -> Run: ...
@overload
def certify(
    model: Any,
    data: Any,
    *,
    sigma: Sequence[float],
    out: str | Path | None = None,
    **options: Unpack[CertifyKeywords],
) -> tuple[Run, ...]: ...
@overload
def certify(
    model: Any,
    data: Any,
    *,
    sigma: float | Sequence[float],
    out: str | Path | None = None,
    estimate: Literal[True],
    **options: Unpack[CertifyKeywords],
) -> tuple[Estimate, ...]: ...
def certify(
    model: Any,
    data: Any,
    *,
    sigma: float | Sequence[float],
    out: str | Path | None = None,
    n0: int | None = None,
    n: int = 100_000,
    alpha: float = 0.001,
    radii: Sequence[float] | None = None,
    setting: str | None = None,
    tolerance: float | None = None,
    samples_price: float | None = None,
    label_aware: bool = False,
    family_wise: int | None = None,
    transfer_to: str | Path | None = None,
    n_zeta: int | None = None,
    alpha_zeta: float | None = None,
    bound: str = "one-sided",
    budget: str | float | None = None,
    estimate: bool = False,
    **options: Unpack[RunOptions],
) -> Run | tuple[Run, ...] | tuple[Estimate, ...]:
    """Certify the images of `data` with a model smoothed by noise of level sigma.

    model  the path of an ONNX file, of a checkpoint that `export` understands or of a TensorRT
           plan; or a torch module, taken as it is now (see open_module)
    data   the path of a source; or arrays (images, labels), a data set of torch or of Hugging Face:
           see open_source
    sigma  in [0, 1]-pixel units, in [0.0002, 4]
    out    the log, OUT.tsv, its manifest beside it; the same call resumes one that was interrupted.
           None: a log that lives as long as what is returned

    Checks everything, and returns a Run that is ready: it certifies as it is iterated over, or with
    run(). Of a sequence of sigmas there is a run for each, with a log of its own (OUT_0.25.tsv),
    the one that a call with that level alone would write; images are decoded once for all.

    With probability at least 1 - alpha per image over the noise, the smoothed classifier's
    prediction is constant within the L2 radius that the log states: for every real input within it
    of the 8-bit image that the model is given, after resize and crop. The smoothed classifier is
    that of the model composed with rounding to the 8-bit grid, which comes after the Gaussian
    noise; of 8-bit images (the log's `covers`) it is the model's with integer Gaussian noise.
    This holds where neither image nor model depends on the seed: one who knows it beforehand can
    make a model for it that wins every vote and is certified falsely.

    radii: table mode. tolerance or samples_price: radius mode. See CertifyOptions. family_wise:
    alpha is for so many images together, and more are refused. transfer_to: certify a reference
    model too, with probability at least 1 - (alpha + alpha_zeta), by n_zeta paired samples
    (n / 10, at least 1000). bound: "two-class" bounds the runner-up's probability too, which
    certifies larger radii where the other votes are spread over many classes, and a class that
    leads without a majority; a column runner_up has its votes.
    budget: with radii, so much time ("30m", "2h") or so many samples (5e7) to decide as many cells
    of the table as can be; the same call with a further one goes on. estimate: certify nothing and
    write nothing, but draw a few samples of some images, and tell for each level what each mode
    would take of all of them.
    num_classes: of the model, for a check. progress: a bar on stderr, or below a
    notebook's cell (None: where there is a terminal or a notebook). For the other options see
    RunOptions.
    Raises InputError, in one line, for anything that does not fit, before anything is written.
    """
    if budget is not None and transfer_to is not None:
        raise InputError("budget and transfer-to exclude each other: leave one of them out")
    if transfer_to is None and (n_zeta is not None or alpha_zeta is not None):
        raise InputError("n-zeta and alpha-zeta are of a transfer only: give --transfer-to too")
    given = numbers_of(
        n0=n0,
        n=n,
        alpha=alpha,
        radii=radii,
        tolerance=tolerance,
        samples_price=samples_price,
        family_wise=family_wise,
        n_zeta=n_zeta,
        alpha_zeta=alpha_zeta,
    )
    if transfer_to is not None and n_zeta is None:
        given["n_zeta"] = max(1000, given["n"] // 10)
    if radii is not None:
        given["radii"] = tuple(sorted(set(given["radii"])))
    notes = {} if family_wise is None else {"family_wise": given["family_wise"]}

    def at(level: float) -> MakeProcedure:
        return CertifyOptions(
            level,
            setting=setting,
            label_aware=label_aware,
            bound=bound,
            budgeted=budget is not None,
            **given,
        ).procedure

    if estimate and (transfer_to is not None or options.get("ray") is not None):
        raise InputError(
            "an estimate is of one model on this machine: leave --transfer-to and --ray out"
        )
    found = ready(
        model,
        data,
        partial(levels_of, sigma, make=at),
        out,
        notes=notes,
        transfer_to=transfer_to,
        budget=None if budget is None else Budget.of(budget),
        local=estimate,
        **numbers_of(**options),
    )
    return found.estimates(partial(modes_of, given)) if estimate else found.runs()


@overload
def predict(
    model: Any,
    data: Any,
    *,
    sigma: float,
    out: str | Path | None = None,
    **options: Unpack[PredictKeywords],
) -> Run: ...
@overload
def predict(
    model: Any,
    data: Any,
    *,
    sigma: Sequence[float],
    out: str | Path | None = None,
    **options: Unpack[PredictKeywords],
) -> tuple[Run, ...]: ...
def predict(
    model: Any,
    data: Any,
    *,
    sigma: float | Sequence[float],
    out: str | Path | None = None,
    n: int = 1000,
    alpha: float = 0.001,
    **options: Unpack[RunOptions],
) -> Run | tuple[Run, ...]:
    """Predict the images of `data` with a model smoothed by noise of level sigma.

    With probability at least 1 - alpha per image over the noise, a prediction in the log is the
    smoothed classifier's (or -1, abstention); the radius column is 0. Otherwise as `certify`, and
    as there neither image nor model may depend on the seed.
    """
    given = numbers_of(n=n, alpha=alpha)
    procedure = partial(Predict, given["n"], given["alpha"])
    levels = partial(levels_of, sigma, make=lambda level: procedure)
    return ready(model, data, levels, out, **numbers_of(**options)).runs()
