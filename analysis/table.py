"""Tables of certified accuracy: logs down, radii across."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.accuracy import (
    DEFAULT_RHO,
    LEAST_ALPHA,
    certified_accuracy,
    high_probability_accuracy,
    summarize,
)
from smoothcert.analysis.log import Log
from smoothcert.analysis.undecided import undecided_cells
from smoothcert.engine.base.errors import InputError


@dataclass(frozen=True)
class Row:
    """One log's figures; `lower` is the high-probability bound, where it was asked for, and
    `undecided` the cells that a budget left so, where there was one."""

    name: str
    sigma: float | None
    images: int
    complete: bool
    accuracy: list[float]
    lower: list[float] | None
    clean: float
    abstained: float
    average_radius: float
    table_mode: bool = False
    said: tuple[str, ...] = ()
    undecided: int | None = None


@dataclass(frozen=True)
class Envelope:
    """At each radius the largest accuracy of the rows, and the row that has it: its place, None
    where nothing is certified. `lower`: the bound for all rows together, where it was asked for."""

    accuracy: list[float]
    rows: list[int | None]
    lower: list[float] | None


@dataclass(frozen=True)
class AccuracyTable:
    """Certified accuracy of logs (rows) at radii (columns); of logs without labels, the share
    that is certified whatever its label. With the rows' upper envelope (envelope.py), where it was
    asked for."""

    radii: list[float]
    rows: list[Row]
    labelled: bool = True
    envelope: Envelope | None = None


def check_radii(radii: Sequence[float]) -> list[float]:
    """Radii as asked for, ascending and each once; raises InputError for negative or none."""
    if not radii or not all(0.0 <= r < float("inf") for r in radii):
        raise InputError(f"radii {list(radii)} are out of range: expected numbers of at least 0")
    return sorted({abs(r) for r in radii})  # -0.0 is 0


def accuracy_table(
    logs: Sequence[Log],
    radii: Sequence[float],
    alpha: float | None = None,
    rho: float | None = None,
) -> AccuracyTable:
    """The table; with the high-probability figures where alpha or rho is given.

    alpha serves the logs whose manifest tells none; rho is DEFAULT_RHO where only alpha is given.
    Raises InputError where figures are asked for that a log cannot give (no_bound), for alpha or
    rho out of range, and as all_labelled.
    """
    labelled = all_labelled(logs)
    rows = []
    for log, name in zip(logs, distinct_names(logs), strict=True):
        _refuse_undecided(log, radii)
        lower = lower_accuracy(log, radii, alpha, rho)
        summary = summarize(log)
        rows.append(
            Row(
                name,
                log.sigma,
                summary.images,
                log.complete,
                certified_accuracy(log, radii).tolist(),
                None if lower is None else lower.tolist(),
                summary.clean,
                summary.abstained,
                summary.average_radius,
                log.table_radii is not None,
                log.said,
                undecided_cells(log),
            )
        )
    return AccuracyTable(list(radii), rows, labelled)


def all_labelled(logs: Sequence[Log]) -> bool:
    """Whether the logs are of labelled images; raises InputError where some are and some are not,
    for an accuracy and a share that knows no label are not to be compared."""
    without = [log for log in logs if not log.labelled]
    if without and len(without) < len(logs):
        other = next(log for log in logs if log.labelled)
        raise InputError(
            f"{without[0].path} has no labels (label -1) and {other.path} has: expected logs of "
            "one kind; run once for each"
        )
    return not without


def lower_accuracy(
    log: Log, radii: npt.ArrayLike, alpha: float | None, rho: float | None
) -> npt.NDArray[np.float64] | None:
    """high_probability_accuracy where alpha or rho is given, else None; as accuracy_table."""
    if alpha is None and rho is None:
        return None
    refused = no_bound(log, alpha)
    if refused is not None:
        raise InputError(refused)
    level = log.alpha if alpha is None else alpha
    assert level is not None
    return high_probability_accuracy(log, radii, level, DEFAULT_RHO if rho is None else rho)


def no_bound(log: Log, alpha: float | None) -> str | None:
    """Why a log has no high-probability figures, as the line that refuses them; None where it has
    them. `alpha` serves a log that records none.

    That is where they would promise too much: the rows of an unfinished log may follow from their
    results (Log.rows_follow_results), and a smaller alpha than the run's nobody has certified.
    """
    if log.rows_follow_results:
        return (
            f"{log.path} is an unfinished run whose rows come in the order of their results: "
            "expected a finished log for high-probability figures"
        )
    if log.alpha is None and alpha is None:
        return (
            f"{log.path} has no manifest that tells its alpha, which the high-probability figures "
            "need: expected --alpha"
        )
    if log.alpha is not None and alpha is not None and alpha < log.alpha:
        return (
            f"alpha {alpha:g} is below {log.alpha:g}, with which {log.path} was certified: "
            "expected at least that; leave --alpha out"
        )
    if alpha is None and log.alpha is not None and log.alpha < LEAST_ALPHA:
        return (
            f"{log.path} was certified with alpha {log.alpha:g}, which no bound keeps: expected at "
            f"least {LEAST_ALPHA:g}; give a larger --alpha"
        )
    return None


def _refuse_undecided(log: Log, radii: Sequence[float]) -> None:
    decided = log.table_radii
    undecided = [r for r in radii if decided is not None and r not in decided]
    if decided is not None and undecided:
        raise InputError(
            f"{log.path} is of table mode and decides the radii {', '.join(map(str, decided))}; at "
            f"{undecided[0]:g} it would understate the accuracy: expected --radii among them, or a "
            "log certified at that radius"
        )


def distinct_names(logs: Sequence[Log]) -> list[str]:
    """The logs' names, with as many of their folders as tell different files apart."""
    files = [log.path.absolute() for log in logs]
    paths = [file.with_name(log.name) for file, log in zip(files, logs, strict=True)]
    if len(set(paths)) < len(set(files)):  # a log beside one with the same name and no suffix
        paths = files
    # By their last parts: how many different paths end so.
    parts = [path.parts for path in paths]
    different, names, tail = set(parts), [""] * len(parts), 0
    while not all(names):
        tail += 1
        ends = Counter(p[-tail:] for p in different)
        names = [
            name or (Path(*p[-tail:]).as_posix() if ends[p[-tail:]] == 1 else "")
            for name, p in zip(names, parts, strict=True)
        ]
    return names
