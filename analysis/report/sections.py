"""What the page itself says of each log, without any script."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoothcert.analysis.accuracy import high_probability_accuracy
from smoothcert.analysis.envelope import NAME, envelope_at, note
from smoothcert.analysis.log import Log
from smoothcert.analysis.report.charts import samples_drawn
from smoothcert.analysis.report.facts import Facts, facts, images_selected, plain
from smoothcert.analysis.report.payload import failure_probability
from smoothcert.analysis.report.promise import Promise, promise
from smoothcert.analysis.table import AccuracyTable, Row

SERIES = 7
"""How many colours tell logs apart; line styles go on from there."""


@dataclass(frozen=True)
class Section:
    """One log's figures as text; `series` is the number of its colour and line."""

    name: str
    series: int
    images: str
    selected: str | None
    complete: bool
    recorded: bool
    sigma: str
    clean: str
    average_radius: str
    correct: str
    wrong: str
    abstained: str
    shares: tuple[str, str, str]
    samples: str
    duration: str
    accuracy: list[str]
    lower: list[str] | None
    facts: Facts
    said: str


def sections(
    logs: Sequence[Log], table: AccuracyTable, alpha: float | None, rho: float
) -> list[Section]:
    """A section per log, in their order, with accuracies at the table's radii."""
    return [
        _section(number, log, row, table.radii, failure_probability(log, alpha), rho)
        for number, (log, row) in enumerate(zip(logs, table.rows, strict=True))
    ]


def _section(
    number: int, log: Log, row: Row, radii: Sequence[float], level: float | None, rho: float
) -> Section:
    images, correct, abstained = len(log), int(log.counted.sum()), int(log.abstained.sum())
    counts = (correct, images - correct - abstained, abstained)
    drawn = samples_drawn(log)
    selected = images_selected(log)
    lower = None
    if level is not None:
        lower = [rounded_down(b) for b in high_probability_accuracy(log, radii, level, rho)]
    seconds = float(log.seconds.sum())
    return Section(
        name=plain(row.name),
        series=number,
        images=f"{images:,}",
        selected=None if selected is None else f"{selected:,}",
        complete=log.complete,
        recorded=bool(log.run),
        sigma=plain(log.sigma),
        clean=f"{row.clean:.3f}",
        average_radius=f"{row.average_radius:.3f}",
        correct=f"{counts[0]:,}",
        wrong=f"{counts[1]:,}",
        abstained=f"{counts[2]:,}",
        shares=(_percent(counts[0], images), _percent(counts[1], images),
                _percent(counts[2], images)),
        samples=plain(None) if drawn is None else f"{float(drawn.mean()):,.0f}",
        duration=duration(seconds) if seconds else plain(None),
        accuracy=[f"{value:.3f}" for value in row.accuracy],
        lower=lower,
        facts=facts(log),
        said=plain("; ".join(log.said)) if log.said else "",
    )  # fmt: skip


@dataclass(frozen=True)
class EnvelopeRows:
    """The upper envelope at the table's radii as text, the log that each figure is of, and what a
    reader must know of it."""

    name: str
    accuracy: list[str]
    logs: list[str]
    lower: list[str] | None
    note: str


def envelope_rows(
    logs: Sequence[Log], names: Sequence[str], table: AccuracyTable, alpha: float | None, rho: float
) -> EnvelopeRows:
    """The envelope of the logs, with a lower bound where all of them have one."""
    alphas = [failure_probability(log, alpha) for log in logs]
    found = envelope_at(logs, table.radii, alphas, rho)
    return EnvelopeRows(
        name=NAME,
        accuracy=[f"{value:.3f}" for value in found.accuracy],
        logs=["" if place is None else names[place] for place in found.rows],
        lower=None if found.lower is None else [rounded_down(bound) for bound in found.lower],
        note=note(found, len(logs)),
    )


def promises(logs: Sequence[Log], names: Sequence[str]) -> list[tuple[list[str], Promise]]:
    """Each promise once, with the names of the logs whose rows make it."""
    grouped: dict[Promise, list[str]] = {}
    for log, name in zip(logs, names, strict=True):
        grouped.setdefault(promise(log), []).append(name)
    return [(shared, text) for text, shared in grouped.items()]


def rounded_down(bound: float) -> str:
    """Three decimals, never above the bound (but for the last bits of a share such as .927)."""
    return f"{np.floor(bound * 1000 + 1e-9) / 1000:.3f}"


def duration(seconds: float) -> str:
    """A time span in two units at most: 41 s, 3 min 05 s, 12 h 04 min."""
    if seconds < 59.5:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    if minutes < 59.5:
        whole = round(seconds)
        return f"{whole // 60} min {whole % 60:02d} s"
    whole = round(minutes)
    return f"{whole // 60:,} h {whole % 60:02d} min"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"
