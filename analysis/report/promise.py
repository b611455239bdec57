"""What the rows of a log promise, in two plain sentences."""

from dataclasses import dataclass

from smoothcert.analysis.log import Log
from smoothcert.analysis.report.facts import plain

_ASSUMES = (
    "This assumes that Philox4x32-10 words are uniform bits, and that the images did not depend on "
    "the seed of the noise."
)


@dataclass(frozen=True)
class Promise:
    """What holds, under which assumptions, and remarks on how to read the figures."""

    holds: str
    assumes: str
    remarks: tuple[str, ...] = ()


def promise(log: Log) -> Promise:
    """The guarantee of a log's rows, by its procedure."""
    if not log.run:
        return _unrecorded(log)
    procedure = log.run.get("procedure")
    level = "1 - alpha" if log.alpha is None else f"{1 - log.alpha:.15g} (1 - alpha)"
    chance = f"For each row, with probability at least {level} over the noise,"
    classifier = "the smoothed classifier of this model, as this backend runs it,"
    if procedure == "predict":
        return Promise(
            f"{chance} a class in the column predict is the one that {classifier} predicts at the "
            "image itself; no radius is promised.",
            _ASSUMES,
        )
    if procedure not in ("certify", "table", "radius"):
        return Promise(
            f"This version does not know the procedure {plain(procedure)}: see the documentation "
            "of the version that wrote the log for what its rows promise.",
            "Nothing is promised here.",
        )
    remarks = []
    if procedure == "table":
        radii = plain(list(log.table_radii or ()))
        remarks.append(
            f"Table mode decides the radii {radii} alone: between them the certified accuracy "
            "shown is a lower bound, and the mean radius is that of the decided radii."
        )
    if "family_wise" in log.run:
        remarks.append(
            f"This alpha makes the rows of {plain(log.run['family_wise'])} images hold together "
            "at the level that was asked for."
        )
    return Promise(
        f"{chance} {classifier} predicts the class in the column predict for every input within "
        "the row's radius (L2 distance, pixels in [0, 1]); covers says the same without a float: "
        "every 8-bit image whose squared pixel differences sum to at most covers.",
        _ASSUMES,
        tuple(remarks),
    )


def _unrecorded(log: Log) -> Promise:
    return Promise(
        "No manifest lies beside this log, as for logs of the original code (Cohen, Rosenfeld, "
        "Kolter 2019): what it promises, and its alpha, are not recorded. A row of the original "
        "code says that, with probability at least 1 - alpha, the smoothed classifier predicts "
        "the class in the column predict within the row's L2 radius.",
        "That assumes Gaussian noise where floating-point numbers were drawn, and its radii are "
        "rounded to three significant digits, to nearest: some are rounded up.",
    )
