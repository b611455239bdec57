"""The rows of a log as numbers that do not contradict each other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.reading.fields import (
    Table,
    decimals,
    integers,
    loose_decimals,
    refused,
    shown,
)
from smoothcert.engine.base.errors import InputError

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """The columns of the original's log, one value per row (see analysis.log.Log).

    labelled  False where every label is -1; nothing is correct then
    said      what was inferred from the values
    """

    idx: Integers
    label: Integers
    predict: Integers
    radius: npt.NDArray[np.float64]
    correct: npt.NDArray[np.bool_]
    seconds: npt.NDArray[np.float64]
    labelled: bool
    said: tuple[str, ...]


def rows_of(table: Table) -> Rows:
    """The rows of a table.

    What a log of others lacks is filled in: rows are numbered, `correct` is predict = label, the
    time is 0, and without a radius every radius is. There a running total of `correct` is known
    by every row and recomputed, and a negative radius (or none) of a prediction that is not
    correct is 0. Raises InputError naming the line of a field that does not parse or is out of
    range, of fields that contradict each other, and of an image that comes twice.
    """
    idx = integers(table, "idx", 0) if "idx" in table.columns else np.arange(len(table))
    _refuse_repeats(table, idx)
    label, labelled = _labels(table)
    predict = integers(table, "predict", -1)
    right = predict == label
    claims = right if labelled else predict != -1
    radius, of_radius = _radii(table, claims)
    correct, of_correct = _correct(table, right, labelled)
    seconds = decimals(table, "time") if "time" in table.columns else np.zeros(len(table))
    _refuse_claims(table, predict, radius)
    said = (*of_radius, *of_correct)
    return Rows(idx, label, predict, radius, correct, seconds, labelled, said)


def _refuse_repeats(table: Table, idx: Integers) -> None:
    order = np.argsort(idx, kind="stable")
    repeats = order[1:][idx[order][1:] == idx[order][:-1]]
    if repeats.size:
        row = int(repeats.min())
        raise InputError(
            f"{table.path} line {table.lines[row]} has image {idx[row]} again: expected each image "
            "once"
        )


def _labels(table: Table) -> tuple[Integers, bool]:
    label = integers(table, "label", -1)
    none = label == -1
    if none.any() and not none.all():
        row = int(np.argmax(none))
        text = shown(table.columns["label"][row])
        raise InputError(
            f"{table.path} line {table.lines[row]} has label {text}: expected an integer of at "
            "least 0, or -1 in every row for images without labels"
        )
    return label, not none.all()


def _radii(
    table: Table, claims: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    if "radius" not in table.columns:
        return np.zeros(len(table)), ()
    if table.strict:
        return decimals(table, "radius"), ()
    radius = loose_decimals(table, "radius")
    below = ~(radius >= 0.0)
    if (below & claims).any():
        row = int(np.argmax(below & claims))
        text = f"{shown(table.columns['radius'][row])} of a prediction that counts"
        raise refused(table.path, table.lines[row], "radius", text)
    rows = int(below.sum())
    said = (f"no radius, or one below 0, is 0 where not correct: {rows} rows",) if rows else ()
    return np.where(below, 0.0, radius), said


def _correct(
    table: Table, right: npt.NDArray[np.bool_], labelled: bool
) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
    wanted = right if labelled else np.zeros(len(table), np.bool_)
    if "correct" not in table.columns:
        return wanted, ()
    if table.strict:
        return _agreeing(table, integers(table, "correct", 0, 1), wanted, labelled), ()
    correct = integers(table, "correct", 0)
    # A total of 1 might as well be one row that contradicts itself.
    if correct.max() > 1 and np.array_equal(correct, np.cumsum(right)):
        return wanted, ("correct is a running total: recomputed",)
    if not labelled and np.array_equal(correct, right):  # -1 = -1 where a row abstains
        return wanted, ()
    return _agreeing(table, integers(table, "correct", 0, 1), wanted, labelled), ()


def _agreeing(
    table: Table, correct: Integers, wanted: npt.NDArray[np.bool_], labelled: bool
) -> npt.NDArray[np.bool_]:
    agrees = correct == wanted
    if not agrees.all():
        row = int(np.argmin(agrees))
        label, predict = (table.columns[name][row] for name in ("label", "predict"))
        expected = "1 where they agree, else 0" if labelled else "0 without labels"
        raise InputError(
            f"{table.path} line {table.lines[row]} has correct {correct[row]} for label {label} "
            f"and predict {predict}: expected {expected}"
        )
    return wanted


def _refuse_claims(table: Table, predict: Integers, radius: npt.NDArray[np.float64]) -> None:
    claims = (predict == -1) & (radius > 0.0)
    if claims.any():
        row = int(np.argmax(claims))
        raise InputError(
            f"{table.path} line {table.lines[row]} abstains (predict -1) with radius "
            f"{radius[row]}: expected 0.0"
        )
