"""What the rows of a log promise, each kind of run in its own words."""

from dataclasses import dataclass

from smoothcert.analysis.log import Log
from smoothcert.analysis.population import population
from smoothcert.analysis.report.facts import plain
from smoothcert.analysis.undecided import undecided_sentence

_MODEL = "this model, as this backend runs it"
_REFERENCE = "the reference model, as this backend runs it"

_WITHIN = (
    "the class in the column predict{0} for every input within radius{0} of the image (L2 "
    "distance, pixels in [0, 1]). "
    "Smoothed is the model composed with rounding to the 8-bit grid: Gaussian noise is added to "
    "the input, the sum is rounded to multiples of 1/255, and the most frequent class of the model "
    "is predicted. The column covers{0} needs neither a radius nor a rounding: for every 8-bit "
    "image whose squared pixel differences sum to at most covers{0}, the class is the model's most "
    "frequent one under integer Gaussian noise. The image is the one that the network is given, "
    "after resize and crop, not the file of the photograph."
)
_HOW = {
    "certify": (
        "The bound is one-sided: n fresh samples bound the probability of the class that n0 others "
        "selected from below."
    ),
    "table": (
        "This is the level of the whole row, whatever the radius, the look and the class: one set "
        "of samples selects and tests at all of them, and the tests together err no more often."
    ),
    "radius": (
        "The bound is one-sided, and of fresh samples alone: the pilot that planned their number "
        "and selected the class has no part in it."
    ),
    "transfer": (
        "Two bounds make it: the model's certificate fails with probability at most alpha, and the "
        "bound on how often the reference loses its votes, of further fresh samples, with at most "
        "alpha_zeta."
    ),
}
_TWO_CLASS = (
    "The bound is two-class: fresh samples bound the probability of the class from below and, with "
    "the part alpha_runner_up of alpha, that of every other class from above, through the votes of "
    "the largest of them (the column runner_up). The class may lead without a majority."
)
_ASSUMES = (
    "This assumes that Philox4x32-10 words are uniform bits, and that neither the images nor the "
    "model depended on the seed of the noise: a model made for a known seed can be certified "
    "falsely."
)
_ROWS = "each row of the logits is a function of its own row of the batch alone"


@dataclass(frozen=True)
class Promise:
    """What holds, under which assumptions, and remarks on how to read the figures."""

    holds: str
    assumes: str
    remarks: tuple[str, ...] = ()


def promise(log: Log) -> Promise:
    """The guarantee of a log's rows, by its procedure."""
    if not log.run:
        return _unrecorded()
    procedure = log.run.get("procedure")
    if procedure != "predict" and procedure not in tuple(_HOW):
        return Promise(
            f"This version does not know the procedure {plain(procedure)}: see the documentation "
            "of the version that wrote the log for what its rows promise.",
            "Nothing is promised here.",
        )
    chance = f"For each row, with probability at least {_level(log)} over the noise,"
    if procedure == "predict":
        holds = (
            f"{chance} the column predict names no other class than the one that the smoothed "
            f"classifier of {_MODEL}, predicts at the image itself, as the network is given it "
            "(-1: none). The test is two-sided, of the two most frequent classes; no radius is "
            "promised."
        )
    else:
        model, columns = (_REFERENCE, "_transfer") if _is_transferred(log) else (_MODEL, "")
        holds = (
            f"{chance} the smoothed classifier of {model}, predicts {_WITHIN.format(columns)} "
            f"{_TWO_CLASS if log.run.get('bound') == 'two-class' else _HOW[str(procedure)]}"
        )
    return Promise(holds, f"{_ASSUMES} {_row_independence(log)}", tuple(_remarks(log)))


def _level(log: Log) -> str:
    words = "1 - (alpha + alpha_zeta)" if _is_transferred(log) else "1 - alpha"
    return words if log.alpha is None else f"{_one_minus(log.alpha)} ({words})"


def _is_transferred(log: Log) -> bool:
    return log.run.get("procedure") == "transfer"


def _one_minus(alpha: float) -> str:
    """1 - alpha, of which small alphas keep their digits."""
    return f"{1 - alpha:.15g}" if alpha >= 1e-9 else f"1 - {alpha:.6g}"


def _row_independence(log: Log) -> str:
    verdicts = log.row_independence
    if not verdicts:
        return f"Whether {_ROWS} is not recorded."
    sentences = []
    for verdict, words in (
        ("proven", f"the ONNX graph shows that {_ROWS}"),
        ("probed", f"that {_ROWS} was compared at run time on some batches, and is not proven"),
    ):
        files = [name for name, found in verdicts.items() if found == verdict]
        if files:
            sentences.append(f"{verdict.capitalize()} for {plain(files)}: {words}.")
    others = [name for name, found in verdicts.items() if found not in ("proven", "probed")]
    if others:
        sentences.append(f"Whether {_ROWS} is not known of {plain(others)}.")
    return " ".join(sentences)


def _remarks(log: Log) -> list[str]:
    remarks, run = [], log.run
    remarks += [about for about in (population(log), undecided_sentence(log)) if about]
    if run.get("procedure") == "table":
        radii = plain(list(log.table_radii or ()))
        remarks.append(
            f"Table mode decides the radii {radii} alone: between them the certified accuracy "
            "shown is a lower bound, and the mean radius is that of the decided radii."
        )
    if "family_wise" in run:
        remarks.append(_together(log, run["family_wise"]))
    if "n_zeta" in run and not _is_transferred(log):
        remarks.append(
            "The columns *_transfer certify the reference model instead, with probability at least "
            f"{_transfer_level(log)}; analyze --transferred reports them."
        )
    return remarks


def _together(log: Log, images: int) -> str:
    share = "(alpha + alpha_zeta)" if _is_transferred(log) else "alpha"
    level = f"1 - {plain(images)} * {share}"
    if log.alpha is not None and images * log.alpha < 1:
        level = f"{_one_minus(images * log.alpha)} ({level})"
    return (
        f"Family-wise: with probability at least {level}, all rows of the {plain(images)} images "
        "hold together, whatever their dependence."
    )


def _transfer_level(log: Log) -> str:
    words = "1 - (alpha + alpha_zeta)"
    if log.alpha is None or log.alpha_zeta is None:
        return words
    return f"{_one_minus(log.alpha + log.alpha_zeta)} ({words})"


def _unrecorded() -> Promise:
    return Promise(
        "No manifest lies beside this log, as for logs of the original code (Cohen, Rosenfeld, "
        "Kolter 2019): what it promises, and its alpha, are not recorded. A row of the original "
        "code says that, with probability at least 1 - alpha, the smoothed classifier predicts "
        "the class in the column predict within the row's L2 radius.",
        "That assumes Gaussian noise where floating-point numbers were drawn, and its radii are "
        "rounded to three significant digits, to nearest: some are rounded up.",
    )
