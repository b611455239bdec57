"""Tables of certified accuracy: logs down, radii across."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from smoothcert.analysis.accuracy import (
    certified_accuracy,
    high_probability_accuracy,
    summarize,
)
from smoothcert.analysis.log import Log
from smoothcert.engine.errors import InputError

FORMATS = ("text", "markdown", "latex", "csv", "json")


@dataclass(frozen=True)
class Row:
    """One log's figures; `lower` is the high-probability bound, where alpha is known."""

    name: str
    sigma: float | None
    images: int
    complete: bool
    accuracy: list[float]
    lower: list[float] | None
    abstained: float
    average_radius: float


@dataclass(frozen=True)
class AccuracyTable:
    """Certified accuracy of logs (rows) at radii (columns)."""

    radii: list[float]
    rows: list[Row]


def default_radii(logs: Sequence[Log]) -> list[float]:
    """0, .25, .5, ... up to the largest certified radius; steps of .5 beyond eleven columns."""
    largest = max(float(log.radius.max()) for log in logs)
    step = 0.25 if largest <= 2.75 else 0.5
    return [step * i for i in range(int(largest / step) + 1)]


def check_radii(radii: Sequence[float]) -> list[float]:
    """Radii as asked for, ascending and each once; raises InputError for negative or none."""
    if not radii or not all(0.0 <= r < float("inf") for r in radii):
        raise InputError(f"radii {list(radii)} are out of range: expected numbers of at least 0")
    return sorted(set(radii))


def accuracy_table(
    logs: Sequence[Log], radii: Sequence[float], alpha: float | None, rho: float
) -> AccuracyTable:
    """The table. The high-probability figures use the manifest's alpha, or `alpha` where given."""
    rows = []
    for log in logs:
        level = alpha if alpha is not None else log.run.get("alpha")
        lower = None
        if level is not None:
            lower = high_probability_accuracy(log, radii, float(level), rho).tolist()
        summary = summarize(log)
        sigma = log.run.get("sigma")
        rows.append(
            Row(
                log.name,
                None if sigma is None else float(sigma),
                summary.images,
                log.complete,
                certified_accuracy(log, radii).tolist(),
                lower,
                summary.abstained,
                summary.average_radius,
            )
        )
    return AccuracyTable(list(radii), rows)


def render(table: AccuracyTable, form: str) -> str:
    """The table as text in one of FORMATS, without a final newline."""
    return {
        "text": _text,
        "markdown": _markdown,
        "latex": _latex,
        "csv": _csv,
        "json": _json,
    }[form](table)


def _best(table: AccuracyTable) -> list[list[bool]]:
    """Per row and radius: among the best of several rows, and above zero."""
    values = np.array([row.accuracy for row in table.rows])
    best = (values == values.max(axis=0)) & (values > 0) & (len(values) > 1)
    return [[bool(cell) for cell in row] for row in best]


def _label(row: Row) -> str:
    return row.name if row.complete else f"{row.name} (running)"


def _cells(table: AccuracyTable, mark: str) -> list[list[str]]:
    return [
        [
            f"{value:.3f}" + (mark if star else "")
            for value, star in zip(row.accuracy, stars, strict=True)
        ]
        for row, stars in zip(table.rows, _best(table), strict=True)
    ]


_TAIL = ("images", "abstained", "mean radius")


def _tail(row: Row) -> list[str]:
    return [str(row.images), f"{row.abstained:.3f}", f"{row.average_radius:.3f}"]


def _text(table: AccuracyTable) -> str:
    head = ["certified accuracy", *(f"r={r:g}" for r in table.radii), *_TAIL]
    body = []
    for row, cells in zip(table.rows, _cells(table, "*"), strict=True):
        body.append([_label(row), *cells, *_tail(row)])
        if row.lower:
            body.append(["  at least (w.h.p.)", *(f"{v:.3f}" for v in row.lower), "", "", ""])
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(w) for cell, w in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([first, *rest]).rstrip()

    return "\n".join(map(line, [head, *body]))


def _markdown(table: AccuracyTable) -> str:
    head = ["", *(f"r = {r:g}" for r in table.radii), *_TAIL]
    lines = [head, ["---"] * len(head)]
    for row, cells in zip(table.rows, _cells(table, "\\*"), strict=True):
        lines.append([f"**{_label(row)}**", *cells, *_tail(row)])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def _latex(table: AccuracyTable) -> str:
    columns = "l" + "r" * (len(table.radii) + len(_TAIL))
    head = " & ".join(["", *(f"$r = {r:g}$" for r in table.radii), *_TAIL])
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head + r" \\", r"\midrule"]
    for row, stars in zip(table.rows, _best(table), strict=True):
        cells = [
            rf"\textbf{{{value:.3f}}}" if star else f"{value:.3f}"
            for value, star in zip(row.accuracy, stars, strict=True)
        ]
        lines.append(" & ".join([_label(row).translate(_LATEX), *cells, *_tail(row)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _csv(table: AccuracyTable) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["log", "sigma", "images", "abstained", "average_radius", "radius",
                     "certified_accuracy", "high_probability_accuracy"])  # fmt: skip
    for row in table.rows:
        for i, r in enumerate(table.radii):
            lower = row.lower[i] if row.lower else ""
            sigma = "" if row.sigma is None else row.sigma
            writer.writerow([row.name, sigma, row.images, row.abstained, row.average_radius, r,
                             row.accuracy[i], lower])  # fmt: skip
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
            "abstained": row.abstained,
            "average_radius": row.average_radius,
        }
        for row in table.rows
    ]
    return json.dumps({"radii": table.radii, "logs": logs}, indent=1)
