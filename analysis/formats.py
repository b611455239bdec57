"""A table of certified accuracy as text, markdown, latex, csv or json."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from smoothcert.analysis.accuracy import MEASURES
from smoothcert.analysis.envelope import NAME, note
from smoothcert.analysis.grid import (
    HTML,
    LATEX,
    MARKDOWN,
    TEXT,
    Grid,
    Markup,
    in_blocks,
    printable,
)
from smoothcert.analysis.opening import Skipped
from smoothcert.analysis.table import AccuracyTable, Row

_LOWER = "  at least (w.h.p.)"


def render(
    table: AccuracyTable, form: str, skipped: Sequence[Skipped] = (), width: int | None = None
) -> str:
    """The table in one of FORMATS, without a final newline; as text in lines of at most `width`.

    text, markdown and latex mark the best log at each radius (every one of several equals, none
    where all are 0, none where there is but one log); csv and json carry every digit.
    json also names the logs that were skipped, and what was inferred of the others. The upper
    envelope, where the table has one, comes last, with the log (its sigma) that each figure is of.
    """
    if form == "text" and width is not None:
        return in_blocks(_grid(table, TEXT), width)
    return FORMATS[form](table, skipped)


def as_html(table: AccuracyTable) -> str:
    """The table as a notebook shows it."""
    return HTML.lay_out(_grid(table, HTML))


def _best(table: AccuracyTable) -> list[list[bool]]:
    """Per row and radius: among the best of several rows, and above zero."""
    values = np.array([row.accuracy for row in table.rows])
    best = (values == values.max(axis=0)) & (values > 0) & (len(values) > 1)
    return [[bool(cell) for cell in row] for row in best]


def _label(row: Row) -> str:
    name = printable(row.name)
    # Its mean radius is that of the radii it decides, lower than a fixed n would show.
    name = f"{name} (table mode)" if row.table_mode else name
    return name if row.complete else f"{name} (running)"


def _number(value: float) -> str:
    """A decimal as it was typed: 0.5, 0, 1.25."""
    return f"{value:.15g}"


def _rounded_down(bound: float) -> str:
    # A bound must not be rounded up; the 1e-9 is for shares like .927 that lie a bit below it.
    return f"{np.floor(bound * 1000 + 1e-9) / 1000:.3f}"


def _grid(table: AccuracyTable, markup: Markup) -> Grid:
    """The header, then the rows, as cells.

    There is a column of sigmas where any log tells one, and one of clean accuracy where r = 0 is
    not among the radii.
    """
    sigmas = any(row.sigma is not None for row in table.rows)
    blank = [""] if sigmas else []
    clean = "clean" if table.labelled else "predicted"
    single = ["images", *([] if 0.0 in table.radii else [clean]), "abstained", "mean radius"]
    head = [markup.plain(MEASURES[table.labelled]), *(["sigma"] if sigmas else [])]
    grid = [[*head, *(markup.radius(_number(r)) for r in table.radii), *single]]
    for row, stars in zip(table.rows, _best(table), strict=True):
        cells = [f"{value:.3f}" for value in row.accuracy]
        figures = {
            "images": str(row.images),
            clean: f"{row.clean:.3f}",
            "abstained": f"{row.abstained:.3f}",
            "mean radius": f"{row.average_radius:.3f}",
        }
        grid.append(
            [
                markup.name(_label(row)),
                *(["" if row.sigma is None else _number(row.sigma)] if sigmas else []),
                *(
                    markup.best(cell) if star else cell
                    for cell, star in zip(cells, stars, strict=True)
                ),
                *(figures[name] for name in single),
            ]
        )
        if row.lower is not None:
            grid.append([_LOWER, *blank, *map(_rounded_down, row.lower), *[""] * len(single)])
    if table.envelope is not None:
        found = table.envelope
        lines = [[markup.name(NAME), *blank, *(f"{value:.3f}" for value in found.accuracy)]]
        what, names = _sources(table)
        lines.append(
            [markup.plain(what), *blank]
            + ["" if place is None else markup.plain(names[place]) for place in found.rows]
        )
        if found.lower is not None:
            lines.append([_LOWER, *blank, *map(_rounded_down, found.lower)])
        grid += [[*line, *[""] * len(single)] for line in lines]
    return grid


def _sources(table: AccuracyTable) -> tuple[str, list[str]]:
    """What tells the logs of an envelope apart: their sigmas, else their names."""
    sigmas = [row.sigma for row in table.rows]
    if None in sigmas or len(set(sigmas)) < len(sigmas):
        return "  of log", [printable(row.name) for row in table.rows]
    return "  at sigma", [_number(sigma) for sigma in sigmas if sigma is not None]


# Of logs without labels.
_SHARES = {
    "certified_accuracy": "certified_share",
    "high_probability_accuracy": "high_probability_share",
    "clean": "predicted",
}
_CSV_COLUMNS = (
    "log", "sigma", "images", "complete", "clean", "abstained", "average_radius",
    "radius", "certified_accuracy", "high_probability_accuracy",
)  # fmt: skip


def _key(name: str, labelled: bool) -> str:
    return name if labelled else _SHARES.get(name, name)


def _csv(table: AccuracyTable, skipped: Sequence[Skipped]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    found = table.envelope
    more = [] if found is None else ["envelope_of"]
    writer.writerow([*(_key(name, table.labelled) for name in _CSV_COLUMNS), *more])
    for row in table.rows:
        sigma = "" if row.sigma is None else row.sigma
        single = [row.name, sigma, row.images, int(row.complete)]
        single += [row.clean, row.abstained, row.average_radius]
        for i, r in enumerate(table.radii):
            lower = "" if row.lower is None else row.lower[i]
            writer.writerow([*single, r, row.accuracy[i], lower, *[""] * len(more)])
    if found is not None:
        for i, (r, value, place) in enumerate(
            zip(table.radii, found.accuracy, found.rows, strict=True)
        ):
            lower = "" if found.lower is None else found.lower[i]
            name = "" if place is None else table.rows[place].name
            writer.writerow([NAME, *[""] * 6, r, value, lower, name])
    return buffer.getvalue().rstrip("\n")


def _json(table: AccuracyTable, skipped: Sequence[Skipped]) -> str:
    logs: list[dict[str, Any]] = []
    for row in table.rows:
        record: dict[str, Any] = {
            "log": row.name,
            "sigma": row.sigma,
            "images": row.images,
            "complete": row.complete,
            "certified_accuracy": row.accuracy,
            "high_probability_accuracy": row.lower,
            "clean": row.clean,
            "abstained": row.abstained,
            "average_radius": row.average_radius,
        }
        if row.undecided is not None:
            record["undecided_cells"] = row.undecided
        logs.append({_key(name, table.labelled): value for name, value in record.items()})
    remarks = remarks_of(((row.name, row.said) for row in table.rows), skipped)
    together = {} if table.envelope is None else {"upper_envelope": _envelope(table)}
    return json.dumps({"radii": table.radii, "logs": logs, **together, **remarks}, indent=1)


def _envelope(table: AccuracyTable) -> dict[str, Any]:
    found = table.envelope
    assert found is not None, "asked for"
    record = {
        "certified_accuracy": found.accuracy,
        "high_probability_accuracy": found.lower,
        "log": [None if place is None else table.rows[place].name for place in found.rows],
        "note": note(found, len(table.rows)),
    }
    return {_key(name, table.labelled): value for name, value in record.items()}


def remarks_of(
    said: Iterable[tuple[str, Sequence[str]]], skipped: Sequence[Skipped]
) -> dict[str, Any]:
    """What json says beside the figures: "inferred", by log, and "skipped"; each where there is
    any."""
    inferred = {name: list(sentences) for name, sentences in said if sentences}
    left = [{"log": str(s.path), "damaged": s.damaged, "why": s.why} for s in skipped]
    return {**({"inferred": inferred} if inferred else {}), **({"skipped": left} if left else {})}


def _laid_out(markup: Markup) -> Callable[[AccuracyTable, Sequence[Skipped]], str]:
    return lambda table, skipped: markup.lay_out(_grid(table, markup))


FORMATS: dict[str, Callable[[AccuracyTable, Sequence[Skipped]], str]] = {
    "text": _laid_out(TEXT),
    "markdown": _laid_out(MARKDOWN),
    "latex": _laid_out(LATEX),
    "csv": _csv,
    "json": _json,
}
"""Every format by the name that `--format` takes."""
