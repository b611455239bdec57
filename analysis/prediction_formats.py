"""The table of judged predictions as text, markdown, latex, csv or json."""

import csv
import io
import json
from collections.abc import Callable

from smoothcert.analysis.grid import LATEX, MARKDOWN, TEXT, Grid, Markup, printable
from smoothcert.analysis.prediction import OUTCOMES, Judgement, PredictionTable


def render_predictions(table: PredictionTable, form: str) -> str:
    """The table in one of PREDICTION_FORMATS, without a final newline.

    text, markdown and latex show shares, to three decimals, and leave out columns that say
    nothing; csv and json carry the counts, all of them.
    """
    return PREDICTION_FORMATS[form](table)


def _label(name: str, complete: bool) -> str:
    return printable(name) if complete else f"{printable(name)} (running)"


def _grid(table: PredictionTable, markup: Markup) -> Grid:
    outcomes = [
        outcome
        for outcome in OUTCOMES
        if not outcome.endswith("unjudged") or any(row.outcomes[outcome] for row in table.rows)
    ]
    known = any(row.n is not None for row in table.rows)
    missing = any(row.missing for row in table.rows)
    first = f"judged by {_label(table.reference, table.reference_complete)}"
    grid = [
        [markup.plain(first), *(["n"] if known else []), *outcomes, "images"]
        + (["not in reference"] if missing else [])
    ]
    for row in table.rows:
        grid.append(
            [
                markup.name(_label(row.name, row.complete)),
                *(["" if row.n is None else str(row.n)] if known else []),
                *(f"{row.share(outcome):.3f}" for outcome in outcomes),
                str(row.images),
                *([str(row.missing)] if missing else []),
            ]
        )
    return grid


def _record(row: Judgement) -> dict[str, object]:
    return {
        "log": row.name,
        "n": row.n,
        "complete": row.complete,
        "images": row.images,
        **{outcome.replace(", ", "_"): row.outcomes[outcome] for outcome in OUTCOMES},
        "not_in_reference": row.missing,
    }


def _csv(table: PredictionTable) -> str:
    buffer = io.StringIO()
    records = [{**_record(row), "complete": int(row.complete)} for row in table.rows]
    for record in records:
        record["reference"] = table.reference
    writer = csv.DictWriter(buffer, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue().rstrip("\n")


def _json(table: PredictionTable) -> str:
    reference = {
        "log": table.reference,
        "n": table.reference_n,
        "complete": table.reference_complete,
        "abstained": table.undecided,
    }
    return json.dumps({"reference": reference, "logs": [*map(_record, table.rows)]}, indent=1)


PREDICTION_FORMATS: dict[str, Callable[[PredictionTable], str]] = {
    "text": lambda table: TEXT.lay_out(_grid(table, TEXT)),
    "markdown": lambda table: MARKDOWN.lay_out(_grid(table, MARKDOWN)),
    "latex": lambda table: LATEX.lay_out(_grid(table, LATEX)),
    "csv": _csv,
    "json": _json,
}
"""Every format by the name that `--format` takes."""
