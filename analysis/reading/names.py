"""What the columns of a log are called, here and elsewhere."""

import re
from collections.abc import Sequence

from smoothcert.engine.base.errors import InputError

REQUIRED = ("idx", "label", "predict", "radius", "correct", "time")
"""The columns of the original code's certify.py, in its order."""

PREDICTIONS = ("idx", "label", "predict", "correct", "time")
"""Those of its predict.py."""

COUNTS = ("count", "n", "n0", "drawn", "covers")
"""Further columns of ours that say how many samples were drawn, and what a row covers."""

OURS = REQUIRED + COUNTS
"""What the header of a log of ours begins with (engine/log/rows.py, which is slower to load)."""

IGNORED = "-"
"""In --columns: a column that is not read."""

# Without case, blanks, joints and brackets; the first of each is our own.
_SYNONYMS = {
    "idx": (
        "idx", "index", "id", "i", "imageidx", "imageindex", "imageid", "imgidx", "imgindex",
        "imgid", "sampleidx", "sampleindex", "sampleid", "originalidx", "originalindex",
        "dataidx", "testidx",
    ),
    "label": (
        "label", "labels", "truelabel", "trueclass", "target", "targets", "groundtruth",
        "gt", "gtlabel", "y", "ytrue",
    ),
    "predict": (
        "predict", "prediction", "predictions", "pred", "preds", "predicted", "predictedlabel",
        "predictedclass", "predictlabel", "predlabel", "predclass", "ypred",
    ),
    "radius": (
        "radius", "rad", "radii", "l2radius", "radiusl2", "certifiedradius", "certradius",
        "certifiedradiusl2", "certifiedl2radius", "l2certifiedradius",
    ),
    "correct": ("correct", "iscorrect"),
    "time": (
        "time", "times", "timeelapsed", "elapsedtime", "elapsed", "seconds", "sec", "secs",
        "timesec", "timess", "timeseconds", "timeinseconds", "duration", "runtime",
    ),
}  # fmt: skip
_JOINTS = re.compile(r"[\s_\-.#:\"'()\[\]]+")
_OTHER_NORM = re.compile(
    r"l(?:p|q|inf\w*|∞|[013-9])(?:rad|cert|norm|bound|$)|rad\w*l(?:p|q|inf|∞|[013-9])"
)
_LIKE_A_RADIUS = re.compile(r"rad|bound|cert|eps|dist|norm|robust|^c?r$")


def squashed(name: str) -> str:
    """The name in lower case without blanks, joints, brackets and quotes: what synonyms are
    compared by."""
    return _JOINTS.sub("", name).lower()


def places(names: Sequence[str], column: str) -> list[int]:
    """Where the column may stand: under its own name, else under every other name of it."""
    exact = [place for place, name in enumerate(names) if name == column]
    if exact:
        return exact
    known = _SYNONYMS.get(column, ())
    return [place for place, name in enumerate(names) if squashed(name) in known]


def of_another_norm(name: str) -> bool:
    """Whether the name says that its radius is of another norm than L2."""
    return bool(_OTHER_NORM.search(squashed(name)))


def like_a_radius(name: str) -> bool:
    """Whether a column of this name may say how far a certificate reaches."""
    return bool(_LIKE_A_RADIUS.search(squashed(name)))


def is_header(names: Sequence[str]) -> bool:
    """Whether these fields name columns: a prediction, and what it is to be judged by."""
    judged = any(places(names, column) for column in ("idx", "label", "radius", "correct"))
    return judged and bool(places(names, "predict"))


def check_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """What --columns was given; raises InputError where a name is unknown or comes twice, or
    where label or predict is not among them."""
    given = tuple(name.strip() for name in columns)
    known = (*REQUIRED, *COUNTS, IGNORED)
    for name in given:
        if name not in known:
            raise InputError(
                f"--columns names {name!r}: expected, from left to right, some of "
                f"{', '.join(REQUIRED)}, and {IGNORED} for a column to ignore"
            )
        if name != IGNORED and given.count(name) > 1:
            raise InputError(f"--columns names {name} twice: expected each column once")
    for name in ("label", "predict"):
        if name not in given:
            raise InputError(
                f"--columns names no {name}: expected label and predict among them, {IGNORED} for "
                "a column to ignore"
            )
    return given
