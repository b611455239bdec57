"""Tables in every format, read back."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smoothcert.analysis.formats import FORMATS, render
from smoothcert.analysis.log import read_log
from smoothcert.analysis.table import AccuracyTable, Row, accuracy_table

# .75/.5 against .75/.25 at r = 0/.5, nothing at 1; the second is running and has a bound.
FIRST = Row("first_1", None, 4, True, [0.75, 0.5, 0.0], None, 0.75, 0.0, 0.3)
SECOND = Row("second", 0.25, 4, False, [0.75, 0.25, 0.0], [0.5, 0.0, 0.0], 0.75, 0.125, 0.3)
TABLE = AccuracyTable([0.0, 0.5, 1.0], [FIRST, SECOND])


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_text_is_aligned() -> None:
    lines = render(TABLE, "text").splitlines()
    # From the images on, cells of a column end where its header ends.
    ends = [lines[0].index(name) + len(name) for name in ("images", "abstained", "mean radius")]
    for line, values in ((lines[1], ("4", "0.000", "0.300")), (lines[2], ("4", "0.125", "0.300"))):
        assert tuple(line[:end].split()[-1] for end in ends) == values
        assert len(line) == len(lines[0])
    assert lines[1].split() == ["first_1", "0.750*", "0.500*", "0.000", "4", "0.000", "0.300"]
    assert lines[2].split()[:4] == ["second", "(running)", "0.25", "0.750*"]
    assert lines[3].split() == ["at", "least", "(w.h.p.)", "0.500", "0.000", "0.000"]


def test_markdown_stars_the_best_and_never_zero() -> None:
    head, rule, *rows = map(cells, render(TABLE, "markdown").splitlines())
    assert head[1:5] == ["sigma", "r = 0", "r = 0.5", "r = 1"]
    assert rule == ["---"] + ["---:"] * 7
    assert rows[0][:5] == ["**first_1**", "", "0.750\\*", "0.500\\*", "0.000"]
    assert rows[1][:5] == ["**second (running)**", "0.25", "0.750\\*", "0.250", "0.000"]
    assert rows[2][2:5] == ["0.500", "0.000", "0.000"]
    assert {len(row) for row in rows} == {len(head)}


def test_markdown_and_latex_are_escaped() -> None:
    odd = AccuracyTable([0.5], [replace(FIRST, name="a|b*_&%\n", accuracy=[0.5])])
    assert "| **a\\|b\\*_&%?** |" in render(odd, "markdown")
    assert r"a|b*\_\&\%? & 0.500 & 4 & 0.750 &" in render(odd, "latex")


def test_latex() -> None:
    lines = render(TABLE, "latex").splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrrrrr}"
    assert lines[-1] == r"\end{tabular}"
    assert r"first\_1 &  & \textbf{0.750} & \textbf{0.500} & 0.000 & 4 & 0.000 & 0.300 \\" in lines
    assert {line.count("&") for line in lines if line.endswith(r"\\")} == {7}


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(render(TABLE, "csv"))))
    assert len(rows) == 6
    for i, row in enumerate(rows):
        expected = TABLE.rows[i // 3]
        assert row["log"] == expected.name
        assert row["sigma"] == ("" if expected.sigma is None else "0.25")
        assert int(row["images"]) == 4
        assert bool(int(row["complete"])) == expected.complete
        assert float(row["radius"]) == TABLE.radii[i % 3]
        assert float(row["certified_accuracy"]) == expected.accuracy[i % 3]
        assert float(row["abstained"]) == expected.abstained
        lower = row["high_probability_accuracy"]
        assert lower == ("" if expected.lower is None else str(expected.lower[i % 3]))


def test_json_reads_back() -> None:
    data = json.loads(render(TABLE, "json"))
    assert data["radii"] == TABLE.radii
    rows = [
        Row(
            log["log"],
            log["sigma"],
            log["images"],
            log["complete"],
            log["certified_accuracy"],
            log["high_probability_accuracy"],
            log["clean"],
            log["abstained"],
            log["average_radius"],
        )
        for log in data["logs"]
    ]
    assert rows == TABLE.rows


def test_one_log_has_no_best() -> None:
    alone = AccuracyTable(TABLE.radii, [FIRST])
    for form in FORMATS:
        text = render(alone, form)
        assert "0.75" in text
        assert "*" not in text.replace("**first_1**", "")
        assert "textbf" not in text


def test_clean_accuracy_is_a_column_where_zero_is_no_radius() -> None:
    assert "clean" not in render(TABLE, "text")
    text = render(AccuracyTable([0.5], [replace(FIRST, accuracy=[0.5])]), "text")
    assert text.splitlines()[0].split()[-5:] == ["images", "clean", "abstained", "mean", "radius"]
    assert text.splitlines()[1].split() == ["first_1", "0.500", "4", "0.750", "0.000", "0.300"]


@pytest.mark.parametrize(("bound", "text"), [(0.9279, "0.927"), (1 - 73 / 1000, "0.927"), (0, "0")])
def test_a_bound_is_never_rounded_up(bound: float, text: str) -> None:
    table = AccuracyTable([0.5], [replace(FIRST, accuracy=[0.95], lower=[bound])])
    assert render(table, "text").splitlines()[2].split()[-1].startswith(text)


def test_radii_are_shown_as_typed() -> None:
    radii = [0.1, 0.12345678, 0.12345679, 2.0]
    table = AccuracyTable(radii, [replace(FIRST, accuracy=[0.5] * 4)])
    head = render(table, "text").splitlines()[0].split()
    assert head[2:6] == ["r=0.1", "r=0.12345678", "r=0.12345679", "r=2"]


def test_the_published_imagenet_table_in_markdown(published_log: Callable[[str], Path]) -> None:
    logs = [read_log(published_log(f"imagenet/sigma_{s}")) for s in ("0.25", "0.50", "1.00")]
    table = accuracy_table(logs, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    rows = [cells(line)[:8] for line in render(table, "markdown").splitlines()[2:]]
    zero = "0.000"
    assert rows == [
        ["**sigma_0.25**", "0.667\\*", "0.494\\*", zero, zero, zero, zero, zero],
        ["**sigma_0.50**", "0.572", "0.458", "0.372\\*", "0.286\\*", zero, zero, zero],
        ["**sigma_1.00**", "0.436", "0.378", "0.326", "0.260", "0.194\\*", "0.148\\*", "0.122\\*"],
    ]
