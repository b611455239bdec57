"""The table of judged predictions as text, markdown, latex, csv or json."""

import csv
import io
import json
from collections.abc import Callable, Sequence

from smoothcert.analysis.formats import remarks_of
from smoothcert.analysis.grid import LATEX, MARKDOWN, TEXT, Grid, Markup, in_blocks, printable
from smoothcert.analysis.opening import Skipped
from smoothcert.analysis.prediction import Judgement, PredictionTable


def render_predictions(
    table: PredictionTable, form: str, skipped: Sequence[Skipped] = (), width: int | None = None
) -> str:
    """The table in one of PREDICTION_FORMATS, without a final newline; as text in lines of at most
    `width`.

    text, markdown and latex show shares, to three decimals, and leave out columns that say
    nothing; csv and json carry the counts, all of them.
    json also names the logs that were skipped, and what was inferred of the others.
    """
    if form == "text" and width is not None:
        return in_blocks(_grid(table, TEXT), width)
    return PREDICTION_FORMATS[form](table, skipped)


def _label(name: str, complete: bool) -> str:
    return printable(name) if complete else f"{printable(name)} (running)"


def _grid(table: PredictionTable, markup: Markup) -> Grid:
    outcomes = [
        outcome
        for outcome in table.outcomes
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
        **{outcome.replace(", ", "_"): row.outcomes[outcome] for outcome in row.outcomes},
        "not_in_reference": row.missing,
    }


def _csv(table: PredictionTable, skipped: Sequence[Skipped]) -> str:
    buffer = io.StringIO()
    records = [{**_record(row), "complete": int(row.complete)} for row in table.rows]
    for record in records:
        record["reference"] = table.reference
    writer = csv.DictWriter(buffer, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue().rstrip("\n")


def _json(table: PredictionTable, skipped: Sequence[Skipped]) -> str:
    reference = {
        "log": table.reference,
        "n": table.reference_n,
        "complete": table.reference_complete,
        "abstained": table.undecided,
    }
    said = [(row.name, row.said) for row in table.rows]
    remarks = remarks_of([*said, (table.reference, table.said)], skipped)
    logs = [*map(_record, table.rows)]
    return json.dumps({"reference": reference, "logs": logs, **remarks}, indent=1)


def _laid_out(markup: Markup) -> Callable[[PredictionTable, Sequence[Skipped]], str]:
    return lambda table, skipped: markup.lay_out(_grid(table, markup))


PREDICTION_FORMATS: dict[str, Callable[[PredictionTable, Sequence[Skipped]], str]] = {
    "text": _laid_out(TEXT),
    "markdown": _laid_out(MARKDOWN),
    "latex": _laid_out(LATEX),
    "csv": _csv,
    "json": _json,
}
"""Every format by the name that `--format` takes."""
