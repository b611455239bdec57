"""The table of judged predictions in every format, read back."""

import csv
import io
import json
from dataclasses import replace

import pytest

from smoothcert.analysis.prediction import OUTCOMES, Judgement, PredictionTable
from smoothcert.analysis.prediction_formats import PREDICTION_FORMATS, render_predictions

FIRST = Judgement("n_100", 100, True, 8, dict(zip(OUTCOMES, (4, 0, 0, 1, 1, 0, 2), strict=True)), 0)
SECOND = Judgement("b", None, False, 4, dict(zip(OUTCOMES, (2, 0, 1, 0, 0, 0, 1), strict=True)), 3)
TABLE = PredictionTable("large_1", 1000, True, 2, [FIRST, SECOND])


def test_text() -> None:
    head, first, second = render_predictions(TABLE, "text").splitlines()
    assert head.startswith("judged by large_1")
    assert head.split("  ")[-1] == "not in reference"
    # Nothing incorrect is unjudged: no column for it.
    assert "correct, unjudged" in head
    assert "incorrect, unjudged" not in head
    shares = ["0.500", "0.000", "0.000", "0.125", "0.125", "0.250"]
    assert first.split() == ["n_100", "100", *shares, "8", "0"]
    shares = ["0.500", "0.000", "0.250", "0.000", "0.000", "0.250"]
    assert second.split() == ["b", "(running)", *shares, "4", "3"]


def test_columns_that_say_nothing_are_left_out() -> None:
    table = replace(TABLE, rows=[replace(FIRST, n=None)], reference_complete=False)
    head, _ = render_predictions(table, "text").splitlines()
    assert head.startswith("judged by large_1 (running)  correct, accurate  correct, inaccurate  ")
    assert head.endswith("incorrect, inaccurate  abstained  images")


def test_markdown_and_latex_are_escaped() -> None:
    lines = render_predictions(replace(TABLE, reference="a|b"), "markdown").splitlines()
    assert lines[0].startswith("| judged by a\\|b | n | correct, accurate | ")
    assert lines[2].startswith("| **n_100** | 100 | 0.500 | ")
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    lines = render_predictions(TABLE, "latex").splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrrrrrrr}"
    assert lines[2].startswith(r"judged by large\_1 & n & ")
    assert lines[4].startswith(r"n\_100 & 100 & 0.500 & ")


def test_csv_and_json_carry_every_count() -> None:
    rows = list(csv.DictReader(io.StringIO(render_predictions(TABLE, "csv"))))
    read = json.loads(render_predictions(TABLE, "json"))
    assert read["reference"] == {"log": "large_1", "n": 1000, "complete": True, "abstained": 2}
    for row, entry, expected in zip(rows, read["logs"], TABLE.rows, strict=True):
        assert row["reference"] == "large_1"
        assert row["log"] == entry["log"] == expected.name
        assert row["n"] == ("" if expected.n is None else str(expected.n))
        assert entry["n"] == expected.n
        assert bool(int(row["complete"])) == entry["complete"] == expected.complete
        assert int(row["images"]) == entry["images"] == expected.images
        assert int(row["not_in_reference"]) == entry["not_in_reference"] == expected.missing
        for outcome, count in expected.outcomes.items():
            key = outcome.replace(", ", "_")
            assert int(row[key]) == entry[key] == count


@pytest.mark.parametrize("form", PREDICTION_FORMATS)
def test_no_format_ends_in_a_new_line(form: str) -> None:
    assert not render_predictions(TABLE, form).endswith("\n")
