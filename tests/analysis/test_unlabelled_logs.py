"""Logs of images without labels: a share in place of an accuracy, in every form of output."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.analysis.accuracy import certified_accuracy, high_probability_accuracy, summarize
from smoothcert.analysis.curve import certified_curve
from smoothcert.analysis.formats import render
from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.plot import accuracy_figure
from smoothcert.analysis.prediction import CLASSES, judge_predictions
from smoothcert.analysis.prediction_formats import render_predictions
from smoothcert.analysis.report.charts import radius_histogram
from smoothcert.analysis.table import accuracy_table
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
# (prediction, radius) of five images.
ROWS = [(3, 0.5), (4, 0.25), (-1, 0.0), (4, 1.0), (-1, 0.0)]

Written = Callable[..., Log]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(name: str = "a.tsv", rows: list[tuple[int, float]] = ROWS, label: int = -1) -> Log:
        lines = [
            f"{i}\t{label}\t{p}\t{r}\t{int(label >= 0 and p == label)}\t1\n"
            for i, (p, r) in enumerate(rows)
        ]
        (tmp_path / name).write_text(HEADER + "".join(lines))
        manifest = {"run": {"sigma": 0.25, "alpha": 0.001, "procedure": "certify"},
                    "status": "complete"}  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(manifest))
        return read_log(tmp_path / name)

    return write


def test_the_share_that_is_certified_whatever_the_label(written: Written) -> None:
    log = written()
    assert not log.labelled
    assert certified_accuracy(log, [0.0, 0.25, 0.5, 0.6, 1.0, 1.1]).tolist() == [
        0.6, 0.6, 0.4, 0.2, 0.2, 0.0,
    ]  # fmt: skip
    summary = summarize(log)
    assert (summary.images, summary.clean, summary.abstained) == (5, 0.6, 0.4)
    assert summary.average_radius == pytest.approx(1.75 / 5)
    assert high_probability_accuracy(log, [0.0], 0.001, 0.1).tolist() == [0.6]
    curve = certified_curve(log)
    assert curve.radii.tolist() == [0.0, 0.25, 0.5, 1.0]
    histogram = radius_histogram(log, 0.5)
    assert (histogram["correct"], histogram["wrong"]) == ([1, 1, 1], [0, 0, 0])


def test_it_is_the_accuracy_of_a_log_whose_predictions_are_the_labels(written: Written) -> None:
    bare = written()
    rows = [f"{i}\t{max(p, 0)}\t{p}\t{r}\t{int(p >= 0)}\t1\n" for i, (p, r) in enumerate(ROWS)]
    path = bare.path.with_name("b.tsv")
    path.write_text(HEADER + "".join(rows))
    radii = np.linspace(0.0, 1.2, 13)
    assert (
        certified_accuracy(bare, radii).tolist()
        == certified_accuracy(read_log(path), radii).tolist()
    )


@pytest.mark.parametrize("form", ["text", "markdown", "latex"])
def test_tables_call_it_a_share(written: Written, form: str) -> None:
    text = render(accuracy_table([written()], [0.5]), form)
    assert "certified share, whatever the label" in text
    assert "predicted" in text
    assert "accuracy" not in text
    assert "clean" not in text
    assert "0.400" in text
    assert "0.600" in text


def test_csv_and_json_call_it_a_share(written: Written) -> None:
    table = accuracy_table([written()], [0.5], rho=0.1)
    (row,) = csv.DictReader(io.StringIO(render(table, "csv")))
    assert (row["certified_share"], row["high_probability_share"], row["predicted"]) == (
        "0.4", "0.4", "0.6",
    )  # fmt: skip
    (log,) = json.loads(render(table, "json"))["logs"]
    assert (log["certified_share"], log["high_probability_share"]) == ([0.4], [0.4])
    assert log["predicted"] == 0.6
    for names in (row, log):
        assert not [name for name in names if "accuracy" in name or name == "clean"]


def test_plots_call_it_a_share(written: Written) -> None:
    (axes,) = accuracy_figure([written()]).axes
    assert axes.get_ylabel() == "certified share, whatever the label"
    (axes,) = accuracy_figure([written(label=3)]).axes
    assert axes.get_ylabel() == "certified accuracy"


def test_no_table_or_plot_compares_it_with_an_accuracy(written: Written) -> None:
    logs = [written("labelled.tsv", label=3), written("bare.tsv")]
    for attempt in (lambda: accuracy_table(logs, [0.5]), lambda: accuracy_figure(logs)):
        with pytest.raises(InputError, match=r"bare.tsv has no labels .* and .*labelled.tsv has"):
            attempt()


@pytest.mark.parametrize("label", [-1, 3])
def test_predictions_are_judged_by_the_class_alone(written: Written, label: int) -> None:
    log = written("small.tsv", [(3, 0.0), (4, 0.0), (5, 0.0), (-1, 0.0), (3, 0.0)])
    truth = [(3, 0.0), (5, 0.0), (-1, 0.0), (3, 0.0), (3, 0.0)]
    table = judge_predictions([log], written("large.tsv", truth, label))
    (row,) = table.rows
    assert table.outcomes == tuple(row.outcomes) == CLASSES
    assert row.outcomes == {"accurate": 2, "inaccurate": 1, "unjudged": 1, "abstained": 1}
    for form in ("text", "markdown", "latex", "csv"):
        text = render_predictions(table, form)
        assert "inaccurate" in text
        assert "correct" not in text
    (record,) = json.loads(render_predictions(table, "json"))["logs"]
    assert (record["accurate"], record["abstained"]) == (2, 1)


def test_labelled_predictions_need_no_labels_of_the_reference(written: Written) -> None:
    log = written("small.tsv", [(3, 0.0), (4, 0.0)], 3)
    (row,) = judge_predictions([log], written("large.tsv", [(3, 0.0), (4, 0.0)])).rows
    assert row.outcomes["correct, accurate"] == row.outcomes["incorrect, accurate"] == 1


def test_labelled_and_unlabelled_predictions_are_not_compared(written: Written) -> None:
    reference = written("large.tsv")
    with pytest.raises(InputError, match="expected logs of one kind"):
        judge_predictions([written("a.tsv"), written("b.tsv", label=3)], reference)


def test_rows_that_are_only_numbered_are_not_compared(tmp_path: Path, written: Written) -> None:
    (tmp_path / "n.tsv").write_text("label\tpredict\n3\t3\n")
    log = read_log(tmp_path / "n.tsv")
    for pair in ((log, written("b.tsv", label=3)), (written("b.tsv", label=3), log)):
        with pytest.raises(InputError, match=r"n.tsv has no column idx"):
            judge_predictions([pair[0]], pair[1])
