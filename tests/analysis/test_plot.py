"""Plots, read back: from the figure, and as files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import colors
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from smoothcert.analysis.accuracy import certified_accuracy, high_probability_accuracy
from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.plot import accuracy_figure, check_plot_path, write_plot
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
ROWS = (
    "0\t1\t1\t0.5\t1\t1\n1\t1\t1\t0.25\t1\t1\n2\t1\t2\t0.9\t0\t1\n"
    "3\t1\t-1\t0.0\t0\t1\n4\t1\t1\t0.5\t1\t1\n"
)


def write(
    folder: Path, name: str, rows: str = ROWS, run: Any = None, status: str = "complete"
) -> Log:
    path = folder / name
    path.write_text(HEADER + rows)
    if run is not None:
        manifest = {"run": run, "status": status}
        path.with_name(f"{name}.json").write_text(json.dumps(manifest))
    return read_log(path)


def corners(figure: Figure, line: int = 0) -> list[tuple[float, float]]:
    x, y = figure.axes[0].lines[line].get_data()
    return list(zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True))


def legend_texts(figure: Figure) -> list[str]:
    legend = figure.axes[0].get_legend() or figure.legends[0]
    return [text.get_text() for text in legend.get_texts()]


def test_the_line_is_the_steps_counted_by_hand(tmp_path: Path) -> None:
    figure = accuracy_figure([write(tmp_path, "log.tsv")])
    assert len(figure.axes[0].lines) == 1
    assert corners(figure) == [
        (0, 0.6), (0, 0.6), (0.25, 0.6), (0.25, 0.4), (0.5, 0.4), (0.5, 0),
    ]  # fmt: skip
    assert figure.axes[0].lines[0].get_drawstyle() == "default"  # corners, joined straight
    assert legend_texts(figure) == ["log"]


def test_axes_begin_at_zero(tmp_path: Path) -> None:
    axes = accuracy_figure([write(tmp_path, "log.tsv")]).axes[0]
    assert axes.get_xlim()[0] == 0.0
    assert 0.5 < axes.get_xlim()[1] < 0.6
    assert axes.get_ylim() == (0.0, 1.0)
    assert "radius" in axes.get_xlabel()
    assert axes.get_ylabel() == "certified accuracy"
    empty = accuracy_figure([write(tmp_path, "none.tsv", "0\t1\t-1\t0.0\t0\t1\n")])
    assert empty.axes[0].get_xlim() == (0.0, 1.0)


def value_at(figure: Figure, line: int, radius: float) -> float:
    """Where a vertical through `radius` meets the line: the upper end of a drop, as drawn."""
    return max(
        y for (left, _), (right, y) in zip(corners(figure, line), corners(figure, line)[1:],
                                           strict=False) if left <= radius <= right
    )  # fmt: skip


@pytest.mark.parametrize("name", ["imagenet/sigma_0.50", "cifar10/sigma_0.12"])
def test_published_logs_agree_with_their_table(
    published_log: Callable[[str], Path], name: str
) -> None:
    log = read_log(published_log(name))
    figure = accuracy_figure([log], alpha=0.01)
    # Off the drops themselves, where a drawn line is vertical: radii have three digits.
    for r in np.arange(0.0005, float(log.radius.max()), 0.0123):
        at = round(r, 3) + 0.0005
        if at < corners(figure)[-1][0]:
            assert value_at(figure, 0, at) == certified_accuracy(log, at)[0]
            assert value_at(figure, 1, at) == high_probability_accuracy(log, at, 0.01)[0]


def test_the_lower_line_is_the_exact_bound(tmp_path: Path) -> None:
    log = write(tmp_path, "log.tsv", run={"alpha": 0.001})
    figure = accuracy_figure([log], rho=0.001)  # one certificate of five may be wrong
    expected = [(0, 0.4), (0, 0.4), (0.25, 0.4), (0.25, 0.2), (0.5, 0.2), (0.5, 0)]
    assert np.asarray(corners(figure, 1)) == pytest.approx(np.asarray(expected), abs=1e-15)
    assert legend_texts(figure) == ["log", "at least, with probability 0.999"]
    line, bound = figure.axes[0].lines
    assert bound.get_linewidth() < line.get_linewidth()
    assert bound.get_color() == line.get_color()
    with pytest.raises(InputError, match="alpha 1e-06 is below"):
        accuracy_figure([log], alpha=1e-6)


def test_table_mode_is_marked_at_the_radii_it_decides(tmp_path: Path) -> None:
    run = {"procedure": "table", "radii": [0.25, 0.5, 0.75], "alpha": 0.001}
    log = write(tmp_path, "log.tsv", run=run)
    figure = accuracy_figure([log])
    assert corners(figure)[-1] == (0.75, 0.0)
    (marks,) = figure.axes[0].collections
    assert np.asarray(marks.get_offsets()).tolist() == [[0.25, 0.6], [0.5, 0.4], [0.75, 0.0]]
    assert legend_texts(figure) == ["log [table mode]"]
    unfinished = write(tmp_path, "new.tsv", run=run, status="running")
    with pytest.raises(InputError, match="unfinished"):
        accuracy_figure([unfinished], rho=0.01)


def test_lines_differ_in_colour_and_in_pattern(tmp_path: Path) -> None:
    logs = [write(tmp_path, f"log{i:02d}.tsv") for i in range(42)]
    lines = accuracy_figure(logs).axes[0].lines
    patterns = {repr(line._unscaled_dash_pattern) for line in lines[:6]}  # type: ignore[attr-defined]
    assert len(patterns) == 6
    assert len({line.get_color() for line in lines[:7]}) == 7
    looks = {(line.get_color(), repr(line._unscaled_dash_pattern)) for line in lines}  # type: ignore[attr-defined]
    assert len(looks) == 42
    # On white, each is dark enough to be seen (relative luminance).
    for line in lines:
        red, green, blue = colors.to_rgb(line.get_color())
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.72


def test_many_or_long_labels_stand_below_the_plot(tmp_path: Path) -> None:
    few = accuracy_figure([write(tmp_path, "a.tsv"), write(tmp_path, "b.tsv")])
    assert few.axes[0].get_legend() is not None
    for logs in (
        [write(tmp_path, f"log{i}.tsv") for i in range(8)],
        [write(tmp_path, "long" * 15 + ".tsv")],
    ):
        figure = accuracy_figure(logs)
        assert figure.axes[0].get_legend() is None
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        legend = figure.legends[0].get_window_extent(renderer)
        assert legend.y1 < figure.axes[0].get_window_extent(renderer).y0
        assert legend.y0 >= 0
        assert legend.x1 <= figure.bbox.x1
        assert figure.axes[0].get_window_extent(renderer).height > 250


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    figure = accuracy_figure([write(tmp_path, "_a$b$_%.tsv"), write(tmp_path, "\\alpha.tsv")])
    assert legend_texts(figure) == ["_a$b$_%", "\\alpha"]
    assert not any(t.get_parse_math() for t in figure.axes[0].get_legend().get_texts())  # type: ignore[union-attr]


def test_each_kind_of_file_opens(tmp_path: Path) -> None:
    log = write(tmp_path, "log.tsv")
    for suffix in (".png", ".PNG", ".pdf", ".svg"):
        write_plot(tmp_path / f"plot{suffix}", [log])
    for name in ("plot.png", "plot.PNG"):
        with Image.open(tmp_path / name) as picture:
            picture.load()
            assert picture.size == (960, 600)
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20
    pdf = (tmp_path / "plot.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert b"/Type3" not in pdf.replace(b" ", b"")
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_the_same_logs_give_the_same_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"plot{suffix}"
    path.write_bytes(b"an older plot")
    write_plot(path, [write(tmp_path, "log.tsv")], alpha=0.01)
    first = path.read_bytes()
    write_plot(path, [read_log(tmp_path / "log.tsv")], alpha=0.01)
    assert path.read_bytes() == first
    assert {p.name for p in tmp_path.iterdir()} == {"log.tsv", path.name}


def test_a_users_settings_of_matplotlib_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib as mpl

    write_plot(tmp_path / "a.png", [write(tmp_path, "log.tsv")])
    before = mpl.rcParams["axes.facecolor"]
    monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "black")
    write_plot(tmp_path / "b.png", [read_log(tmp_path / "log.tsv")])
    assert mpl.rcParams["axes.facecolor"] == "black"
    assert before != "black"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("name", ["plot.jpg", "plot", "plot.png.tsv", ".png"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"suffix .*: expected one of \.png, \.pdf, \.svg") as e:
        check_plot_path(tmp_path / name)
    assert "\n" not in str(e.value)


def test_places_that_cannot_hold_a_plot_are_refused(tmp_path: Path) -> None:
    log = write(tmp_path, "log.tsv")
    with pytest.raises(InputError, match="no folder"):
        write_plot(tmp_path / "absent" / "plot.png", [log])
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_plot(tmp_path / "folder.png", [log])


def test_a_log_is_not_drawn_over(tmp_path: Path) -> None:
    log = write(tmp_path, "log.svg")
    before = log.path.read_bytes()
    with pytest.raises(InputError, match="which this command reads"):
        write_plot(tmp_path / "log.svg", [log])
    assert log.path.read_bytes() == before


def test_a_name_the_font_lacks_draws_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    write_plot(tmp_path / "plot.png", [write(tmp_path, "模型.tsv")])
    assert [str(warning.message) for warning in recwarn] == []


def test_fifty_thousand_images_make_a_small_file(tmp_path: Path) -> None:
    rows = "".join(f"{i}\t3\t3\t{i / 50_000:.6f}\t1\t1\n" for i in range(50_000))
    write_plot(tmp_path / "plot.svg", [write(tmp_path, "log.tsv", rows)], alpha=0.001)
    assert (tmp_path / "plot.svg").stat().st_size < 1_000_000


def test_a_log_of_predict_is_refused(tmp_path: Path) -> None:
    log = write(tmp_path, "p.tsv", "0\t1\t1\t0.0\t1\t1\n", run={"procedure": "predict"})
    with pytest.raises(InputError, match=r"p\.tsv is a log of predict"):
        accuracy_figure([log])
    original = tmp_path / "N_1000"
    original.write_text("idx\tlabel\tpredict\tcorrect\ttime\n0\t1\t1\t1\t0:00:01.5\n")
    with pytest.raises(InputError, match="N_1000 is a log of predict"):
        accuracy_figure([read_log(original)])


def test_the_legend_keeps_clear_of_the_line(tmp_path: Path) -> None:
    high = "".join(f"{i}\t1\t1\t{0.4 + i / 100}\t1\t1\n" for i in range(10))
    logs = [write(tmp_path, "high.tsv", high)]
    figure = accuracy_figure(logs)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    legend = figure.axes[0].get_legend()
    assert legend is not None
    box = legend.get_window_extent(canvas.get_renderer())
    line = figure.axes[0].transData.transform(corners(figure))
    assert not any(box.contains(x, y) for x, y in line)
    assert box.y1 < line[0, 1]  # below the line: above it is no room
