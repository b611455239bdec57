"""What a log that was read can be asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from linear_runs import certify_table, linear_images, linear_network

import smoothcert
from smoothcert.analysis.log import read_log as read_columns
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import COLUMNS, TRANSFER_COLUMNS

ORIGINAL = (
    "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
    "0\t3\t3\t0.61\t1\t0:00:01.500000\n"
    "20\t1\t-1\t0.0\t0\t0:00:02\n"
)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "sigma_0.25"
    path.write_text(ORIGINAL)
    return path


def test_a_table_is_text_and_html(original: Path) -> None:
    log = smoothcert.read_log(str(original))
    table = log.table([0.5, 0])
    assert str(table).splitlines()[1].split() == [
        "sigma_0.25",
        "0.500",
        "0.500",
        "2",
        "0.500",
        "0.305",
    ]
    assert repr(table) == str(table)
    assert "<th>r = 0.5</th>" in table._repr_html_()
    assert log.table()._repr_html_() == log._repr_html_()
    assert "at least (w.h.p.)" in str(log.table([0], alpha=0.001))
    with pytest.raises(InputError, match=r"radii -1\.0 is out of range"):
        log.table([-1])
    with pytest.raises(InputError, match="has no manifest that tells its alpha"):
        log.table([0], rho=0.01)


def test_html_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "<b>&.tsv"
    path.write_text(ORIGINAL)
    assert "&lt;b&gt;&amp;" in smoothcert.read_log(path)._repr_html_()


def test_columns_are_those_of_the_log(
    linear_model: Callable[..., Path], tmp_path: Path, original: Path
) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    model, source = linear_network(linear_model), linear_images(tmp_path, 5)
    log = tmp_path / "out.tsv"
    options: dict[str, Any] = {"n": 300, "n0": 10, "radii": None, "transfer_to": model}
    certify_table(model, source, log, **options)
    frame = smoothcert.read_log(log).to_pandas()
    assert tuple(frame.columns) == COLUMNS + TRANSFER_COLUMNS
    assert frame.dtypes["radius"] == frame.dtypes["zeta_upper"] == np.float64
    assert frame.dtypes["correct"] == np.bool_
    assert frame.dtypes["count"] == frame.dtypes["losses"] == np.int64
    columns = read_columns(log)
    assert frame["radius"].tolist() == columns.radius.tolist()
    assert frame["time"].dt.total_seconds().tolist() == pytest.approx(columns.seconds.tolist())
    line = log.read_text().splitlines()[1].split("\t")
    assert frame["pixels"][0] == line[COLUMNS.index("pixels")]
    certify_table(model, source, tmp_path / "b.tsv", radii=(0.0, 0.25), budget=6000)
    budgeted = smoothcert.read_log(tmp_path / "b.tsv").to_pandas()
    assert tuple(budgeted.columns) == (*COLUMNS, "undecided")
    theirs = smoothcert.read_log(original).to_pandas()
    assert tuple(theirs.columns) == COLUMNS[:6]
    assert theirs["time"][0] == pandas.Timedelta(seconds=1.5)


def test_without_pandas_one_line_says_what_to_install(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        InputError, match=r"a DataFrame needs the package pandas.*smoothcert\[pandas\]"
    ):
        smoothcert.read_log(original).to_pandas()


def test_a_plot_is_a_figure(original: Path) -> None:
    figure = smoothcert.read_log(original).plot()
    (axes,) = figure.axes
    assert axes.get_ylabel() == "certified accuracy"
