"""A table of certified accuracy as text, markdown, latex, csv or json."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from smoothcert.analysis.grid import LATEX, MARKDOWN, TEXT, Grid, Markup, printable
from smoothcert.analysis.table import AccuracyTable, Row

_LOWER = "  at least (w.h.p.)"


def render(table: AccuracyTable, form: str) -> str:
    """The table in one of FORMATS, without a final newline.

    text, markdown and latex mark the best log at each radius (every one of several equals, none
    where all are 0, none where there is but one log); csv and json carry every digit.
    """
    return FORMATS[form](table)


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
    single = ["images", *([] if 0.0 in table.radii else ["clean"]), "abstained", "mean radius"]
    head = ["certified accuracy", *(["sigma"] if sigmas else [])]
    grid = [[*head, *(markup.radius(_number(r)) for r in table.radii), *single]]
    for row, stars in zip(table.rows, _best(table), strict=True):
        cells = [f"{value:.3f}" for value in row.accuracy]
        figures = {
            "images": str(row.images),
            "clean": f"{row.clean:.3f}",
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
            bounds = map(_rounded_down, row.lower)
            grid.append([_LOWER, *([""] if sigmas else []), *bounds, *[""] * len(single)])
    return grid


_CSV_COLUMNS = (
    "log", "sigma", "images", "complete", "clean", "abstained", "average_radius",
    "radius", "certified_accuracy", "high_probability_accuracy",
)  # fmt: skip


def _csv(table: AccuracyTable) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for row in table.rows:
        sigma = "" if row.sigma is None else row.sigma
        single = [row.name, sigma, row.images, int(row.complete)]
        single += [row.clean, row.abstained, row.average_radius]
        for i, r in enumerate(table.radii):
            lower = "" if row.lower is None else row.lower[i]
            writer.writerow([*single, r, row.accuracy[i], lower])
    return buffer.getvalue().rstrip("\n")


def _json(table: AccuracyTable) -> str:
    logs: list[dict[str, Any]] = [
        {
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
        for row in table.rows
    ]
    return json.dumps({"radii": table.radii, "logs": logs}, indent=1)


FORMATS: dict[str, Callable[[AccuracyTable], str]] = {
    "text": lambda table: TEXT.lay_out(_grid(table, TEXT)),
    "markdown": lambda table: MARKDOWN.lay_out(_grid(table, MARKDOWN)),
    "latex": lambda table: LATEX.lay_out(_grid(table, LATEX)),
    "csv": _csv,
    "json": _json,
}
"""Every format by the name that `--format` takes."""
