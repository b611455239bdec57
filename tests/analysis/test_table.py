"""Tables in every format, read back."""

import csv
import io
import json
from pathlib import Path

import pytest

from smoothcert.analysis.log import read_log
from smoothcert.analysis.table import (
    AccuracyTable,
    accuracy_table,
    check_radii,
    default_radii,
    render,
)
from smoothcert.engine.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def row(index: int, radius: float, correct: int) -> str:
    return f"{index}\t1\t{1 if correct else 2}\t{radius}\t{correct}\t1.0\n"


@pytest.fixture
def table(tmp_path: Path) -> AccuracyTable:
    """Two logs of four images: .75/.5 against .75/.25 at r = 0/.5, nothing at 1."""
    (tmp_path / "first_1.tsv").write_text(
        HEADER + row(0, 0.6, 1) + row(1, 0.5, 1) + row(2, 0.1, 1) + row(3, 0.9, 0)
    )
    (tmp_path / "second.tsv").write_text(
        HEADER + row(0, 0.7, 1) + row(1, 0.4, 1) + row(2, 0.1, 1) + row(3, 0.2, 0)
    )
    (tmp_path / "second.tsv.json").write_text(
        json.dumps({"run": {"sigma": 0.25, "alpha": 0.001}, "status": "running"})
    )
    logs = [read_log(tmp_path / "first_1.tsv"), read_log(tmp_path / "second.tsv")]
    return accuracy_table(logs, [0.0, 0.5, 1.0], None, 0.001)


def test_text(table: AccuracyTable) -> None:
    lines = [line.split() for line in render(table, "text").splitlines()]
    assert lines[0][:4] == ["certified", "accuracy", "r=0", "r=0.5"]
    assert lines[1] == ["first_1", "0.750*", "0.500*", "0.000", "4", "0.000", "0.300"]
    assert lines[2][:5] == ["second", "(running)", "0.750*", "0.250", "0.000"]
    assert lines[3][-3:] == ["0.500", "0.000", "0.000"]  # one of four may be wrong


def test_markdown_stars_the_best_and_never_zero(table: AccuracyTable) -> None:
    lines = render(table, "markdown").splitlines()
    assert lines[0].startswith("|  | r = 0 | r = 0.5 | r = 1 |")
    assert set(lines[1]) <= set("|- ")
    assert lines[2].startswith("| **first_1** | 0.750\\* | 0.500\\* | 0.000 |")
    assert lines[3].startswith("| **second (running)** | 0.750\\* | 0.250 | 0.000 |")


def test_latex_is_escaped(table: AccuracyTable) -> None:
    text = render(table, "latex")
    assert r"first\_1 & \textbf{0.750} & \textbf{0.500} & 0.000 &" in text
    assert text.startswith(r"\begin{tabular}{lrrrrrr}")
    assert text.endswith(r"\end{tabular}")


def test_csv_reads_back(table: AccuracyTable) -> None:
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert len(rows) == 6
    assert rows[1]["log"] == "first_1"
    assert float(rows[1]["radius"]) == 0.5
    assert float(rows[1]["certified_accuracy"]) == 0.5
    assert rows[1]["high_probability_accuracy"] == ""
    assert float(rows[3]["high_probability_accuracy"]) == 0.5


def test_json_reads_back(table: AccuracyTable) -> None:
    data = json.loads(render(table, "json"))
    assert data["radii"] == [0.0, 0.5, 1.0]
    assert data["logs"][0]["certified_accuracy"] == [0.75, 0.5, 0.0]
    assert data["logs"][1]["sigma"] == 0.25
    assert data["logs"][1]["complete"] is False


def test_one_log_has_no_best(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(HEADER + row(0, 0.6, 1))
    alone = accuracy_table([read_log(tmp_path / "a.tsv")], [0.0], None, 0.001)
    assert "*" not in render(alone, "text")


def test_default_radii_follow_the_largest_radius(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(HEADER + row(0, 0.6, 1))
    (tmp_path / "b.tsv").write_text(HEADER + row(0, 3.9, 1))
    assert default_radii([read_log(tmp_path / "a.tsv")]) == [0.0, 0.25, 0.5]
    assert default_radii([read_log(tmp_path / f"{n}.tsv") for n in "ab"])[-1] == 3.5


def test_radii_are_checked() -> None:
    assert check_radii([1.0, 0.0, 1.0]) == [0.0, 1.0]
    for bad in ([], [-1.0], [float("nan")], [float("inf")]):
        with pytest.raises(InputError, match="radii"):
            check_radii(bad)
