"""The upper envelope against figures counted by hand, and logs that it refuses."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.analysis.accuracy import certified_accuracy, high_probability_accuracy
from smoothcert.analysis.curve import certified_curve, drawn_steps
from smoothcert.analysis.envelope import (
    NAME,
    check_comparable,
    envelope_at,
    envelope_curve,
    note,
    with_envelope,
)
from smoothcert.analysis.formats import render
from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.plot import accuracy_figure
from smoothcert.analysis.table import AccuracyTable, accuracy_table
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
# Radii of four images of label 1; None abstains, a negative radius is of a wrong class.
NEAR = [0.3, 0.3, 0.2, 0.1]  # accuracy 1 up to .1, .75 up to .2, .5 up to .3
FAR = [None, 0.9, -0.9, 0.4]  # accuracy .5 up to .4, .25 up to .9


def write(path: Path, radii: list[Any], labels: Any = 1, run: Any = None) -> Log:
    lines = []
    for index, radius in enumerate(radii):
        predict = -1 if radius is None else labels if radius >= 0 else labels + 1
        correct = int(predict == labels)
        lines.append(f"{index}\t{labels}\t{predict}\t{abs(radius or 0.0)}\t{correct}\t1\n")
    path.write_text(HEADER + "".join(lines))
    if run is not None:
        path.with_name(f"{path.name}.json").write_text(
            json.dumps({"run": run, "status": "complete"})
        )
    return read_log(path)


@pytest.fixture
def logs(tmp_path: Path) -> list[Log]:
    return [
        write(tmp_path / "near.tsv", NEAR, run={"sigma": 0.25, "alpha": 0.001}),
        write(tmp_path / "far.tsv", FAR, run={"sigma": 1.0, "alpha": 0.001}),
    ]


def table(logs: list[Log], radii: list[float], rho: float | None = None) -> AccuracyTable:
    return with_envelope(accuracy_table(logs, radii, None, rho), logs, None, rho)


def test_the_largest_counts_and_says_whose_it_is(logs: list[Log]) -> None:
    found = envelope_at(logs, [0, 0.1, 0.15, 0.3, 0.35, 0.9, 1], None, 0.001)
    assert found.accuracy == [1, 1, 0.75, 0.5, 0.5, 0.25, 0]
    assert found.rows == [0, 0, 0, 0, 1, 1, None]  # at .3 both have it: the first
    assert found.lower is None


def test_the_curve_is_the_largest_at_every_radius(logs: list[Log]) -> None:
    curve = envelope_curve(logs)
    assert curve.radii.tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.9]
    assert curve.accuracy.tolist() == [1, 1, 0.75, 0.5, 0.5, 0.25]
    assert curve.decided is None
    x, y = drawn_steps(curve)
    assert (x[-1], y[-1]) == (0.9, 0)


def test_bounds_hold_for_all_logs_together(tmp_path: Path) -> None:
    """Each log's bound is at rho / 2, and of other alphas."""
    rng = np.random.default_rng(0)
    many = [
        write(tmp_path / f"{i}.tsv", rng.uniform(0, 1 + i, 200).tolist(), run={"alpha": alpha})
        for i, alpha in enumerate((0.01, 0.1))
    ]
    radii = [0.0, 0.5, 1.5]
    found = table(many, radii, rho=0.008).envelope
    assert found is not None
    bounds = [
        high_probability_accuracy(log, radii, alpha, 0.004)
        for log, alpha in zip(many, (0.01, 0.1), strict=True)
    ]
    assert found.lower is not None
    assert found.lower == np.maximum(*bounds).tolist()
    alone = high_probability_accuracy(many[0], radii, 0.01, 0.008)
    assert found.lower[0] < alone[0]  # two logs share rho
    assert "each at rho / 2" in note(found, 2)
    assert envelope_at(many, radii, [0.01, None], 0.008).lower is None


def test_table_mode_decides_its_radii_alone(tmp_path: Path) -> None:
    run = {"procedure": "table", "radii": [0.0, 0.5, 1.0]}
    near = write(tmp_path / "a.tsv", [0.5, 0.5, 0.0], run=run)
    far = write(tmp_path / "b.tsv", [1.0, None, None], run=run)
    curve = envelope_curve([near, far])
    assert curve.decided is not None
    assert curve.decided.tolist() == [0, 0.5, 1]
    assert curve.accuracy.tolist() == [1, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert drawn_steps(curve)[1][-1] == pytest.approx(1 / 3)  # what lies beyond was not asked
    other = write(tmp_path / "c.tsv", [0.75, None, None])
    mixed = envelope_curve([near, other])
    assert mixed.radii.tolist() == [0, 0.5, 0.75, 1]
    for r, value in zip(mixed.radii, mixed.accuracy, strict=True):
        assert value == max(certified_accuracy(log, r)[0] for log in (near, other))


def test_every_format_names_it_and_its_logs(logs: list[Log]) -> None:
    radii = [0.0, 0.35, 1.0]
    lines = render(table(logs, radii, 0.01), "text").splitlines()
    assert lines[-3].split() == [*NAME.split(), "1.000", "0.500", "0.000"]
    assert lines[-2].split() == ["at", "sigma", "0.25", "1"]
    assert lines[-1].startswith("  at least (w.h.p.)")
    same = [logs[0], logs[0]]
    assert render(table(same, radii), "text").splitlines()[-1].split() == ["of", "log", "near"]
    for form, row in (("markdown", rf"| **{NAME}** |"), ("latex", NAME)):
        cells = render(table(logs, radii), form)
        assert row in cells
        assert "at sigma" in cells
    record = json.loads(render(table(logs, radii), "json"))["upper_envelope"]
    assert record["certified_accuracy"] == [1, 0.5, 0]
    assert record["log"] == ["near", "far", None]
    assert record["high_probability_accuracy"] is None
    assert "No one classifier has it" in record["note"]
    rows = list(csv.DictReader(render(table(logs, radii), "csv").splitlines()))
    assert [(row["radius"], row["certified_accuracy"], row["envelope_of"]) for row in rows[6:]] == [
        ("0.0", "1.0", "near"), ("0.35", "0.5", "far"), ("1.0", "0.0", ""),
    ]  # fmt: skip
    assert {row["log"] for row in rows[6:]} == {NAME}
    assert {row["envelope_of"] for row in rows[:6]} == {""}
    without = accuracy_table(logs, radii)
    for form in ("text", "csv", "json"):
        assert "envelope" not in render(without, form)


def test_the_plot_has_one_more_line(logs: list[Log]) -> None:
    plain, figure = accuracy_figure(logs), accuracy_figure(logs, envelope=True)
    assert len(figure.axes[0].lines) == len(plain.axes[0].lines) + 1
    x, y = drawn_steps(envelope_curve(logs))
    drawn = [np.asarray(values) for values in figure.axes[0].lines[-1].get_data()]
    assert np.array_equal(drawn, [x, y])
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["σ = 0.25", "σ = 1", NAME]


def test_the_envelope_of_one_curve_twice_is_the_curve(logs: list[Log]) -> None:
    curve, twice = certified_curve(logs[1]), envelope_curve([logs[1], logs[1]])
    assert np.array_equal(curve.radii, twice.radii)
    assert np.array_equal(curve.accuracy, twice.accuracy)


def test_logs_of_other_images_are_refused(logs: list[Log], tmp_path: Path) -> None:
    def refused(words: str, *others: Log) -> None:
        with pytest.raises(InputError, match=words) as error:
            check_comparable([logs[0], *others])
        assert "\n" not in str(error.value)

    refused(r"is of several logs, and there is but .*near.tsv")
    fewer = write(tmp_path / "fewer.tsv", NEAR[:3])
    refused(r"near.tsv has 4 images and .*fewer.tsv 3: expected logs of the same", fewer)
    labels = write(tmp_path / "labels.tsv", NEAR, labels=2)
    refused(r"image 0 has label 1 in .*near.tsv and 2 in .*labels.tsv", labels)
    text = (tmp_path / "near.tsv").read_text()
    (tmp_path / "other.tsv").write_text(text.replace("\n2\t", "\n7\t"))
    refused(r"image 2 is in .*near.tsv and not in .*other.tsv", read_log(tmp_path / "other.tsv"))
    reordered = text.splitlines(keepends=True)
    (tmp_path / "order.tsv").write_text("".join([reordered[0], *reversed(reordered[1:])]))
    check_comparable([logs[0], read_log(tmp_path / "order.tsv")])  # rows in whatever order
    predict = write(tmp_path / "predict.tsv", NEAR, run={"procedure": "predict"})
    refused(r"predict.tsv is a log of predict, which certifies no radius", predict)
    (tmp_path / "plain.tsv").write_text("label\tpredict\tradius\n" + "1\t1\t0.5\n" * 4)
    refused(r"plain.tsv has no column idx", read_log(tmp_path / "plain.tsv"))
    one, two = (
        write(tmp_path / f"{name}.tsv", NEAR, run={"source": {"digest": name * 64}})
        for name in "ab"
    )
    with pytest.raises(InputError, match=r"a.tsv and .*b.tsv are of two sources, by the digests"):
        check_comparable([one, two])
    check_comparable([one, logs[0]])  # which does not tell
