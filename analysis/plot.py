"""Plots of certified accuracy against the radius, as PNG, PDF or SVG."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from smoothcert.analysis.accuracy import DEFAULT_RHO, MEASURES
from smoothcert.analysis.curve import Curve, certified_curve, drawn_steps
from smoothcert.analysis.envelope import NAME, envelope_curve
from smoothcert.analysis.legend import legend_labels
from smoothcert.analysis.log import Log, files_of
from smoothcert.analysis.table import all_labelled, lower_accuracy
from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.outputs import check_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOT_SUFFIXES = (".png", ".pdf", ".svg")

# Okabe and Ito's palette, which colour-blind readers tell apart, without its yellow (too light for
# a line). Six patterns and seven colours: 42 lines before a pair repeats.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
_PATTERNS: tuple[Any, ...] = (
    "-", (0, (6, 2)), (0, (1.2, 1.4)), (0, (7, 2, 1.2, 2)), (0, (3, 1.5)), (0, (7, 2, 1, 2, 1, 2)),
)  # fmt: skip
_STYLE: dict[str, Any] = {
    "figure.figsize": (6.4, 4.0),
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.7,
    "pdf.fonttype": 42,  # letters stay letters: some venues refuse the default
    "svg.hashsalt": "smoothcert",  # the same logs give the same file
}
_DPI = 150
_INSIDE = 7  # more lines than this, or longer labels, have their legend below the plot
_INSIDE_LENGTH = 44
# With more images the band is thinner than a line, and an SVG of it takes megabytes.
_MOST_BAND_POINTS = 20_000


def check_plot_path(path: Path, inputs: Sequence[str | Path | None] = ()) -> None:
    """Raise InputError unless a plot can be written there: suffix, folder, and matplotlib, and what
    is there is none of the inputs."""
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise InputError(
            f"plot {path} has the suffix {path.suffix!r}: expected one of "
            + ", ".join(PLOT_SUFFIXES)
        )
    check_output(path, "plot", replace=True, inputs=inputs)
    require("matplotlib", "report", "a plot")


def write_plot(
    path: Path,
    logs: Sequence[Log],
    alpha: float | None = None,
    rho: float | None = None,
    *,
    envelope: bool = False,
) -> None:
    """Draw accuracy_figure into a file, whole or not at all; an older plot is replaced.

    The same logs give the same bytes with the same matplotlib. Raises InputError as
    check_plot_path and accuracy_figure, and where the file cannot be written.
    """
    check_plot_path(path, files_of(logs))
    with _style():
        figure = accuracy_figure(logs, alpha, rho, envelope=envelope)
        content = _encoded(figure, path.suffix.lower())
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InputError(
            f"plot {path} cannot be written ({error.strerror}): expected a writable folder"
        ) from None


def accuracy_figure(
    logs: Sequence[Log],
    alpha: float | None = None,
    rho: float | None = None,
    *,
    envelope: bool = False,
) -> "Figure":
    """The certified accuracy of each log at every radius, as steps; nothing is interpolated.

    With alpha or rho, a thin line below each says what the accuracy is at least (see
    high_probability_accuracy). Table-mode logs have a mark at the radii they decide; between
    those, their line is a lower bound. Line 2 i is log i's where there are bounds, else line i.
    The upper envelope is one more line, broad and pale below the others, and has no bound.
    Raises InputError as accuracy_table, and for a log of PREDICT.
    """
    figure_module = require("matplotlib.figure", "report", "a plot")
    for log in logs:
        if not log.has_radii:
            raise InputError(
                f"{log.path} is a log of predict, which certifies no radius: expected logs of "
                "certify; compare predictions with --reference"
            )
    measure = MEASURES[all_labelled(logs)]
    curves = [certified_curve(log) for log in logs]
    bounds = [
        lower_accuracy(log, curve.radii, alpha, rho)
        for log, curve in zip(logs, curves, strict=True)
    ]
    with _style():
        figure: Figure = figure_module.Figure(layout="constrained")
        axes = figure.add_subplot()
        for i, (curve, bound) in enumerate(zip(curves, bounds, strict=True)):
            _draw(axes, curve, bound, _COLOURS[i % 7], _PATTERNS[i % 6])
        labels = legend_labels(logs)
        if envelope:
            x, y = drawn_steps(envelope_curve(logs))
            axes.plot(x, y, color="#000000", alpha=0.2, linewidth=6, zorder=1.5, label="log",
                      solid_capstyle="butt", solid_joinstyle="miter")  # fmt: skip
            labels.append(NAME)
        _scale(axes, max(float(curve.radii[-1]) for curve in curves), measure)
        _explain(figure, axes, labels, DEFAULT_RHO if rho is None else rho)
    return figure


def _draw(axes: "Axes", curve: Curve, bound: Any, colour: str, pattern: Any) -> None:
    x, y = drawn_steps(curve)
    # Butt ends and mitred corners: a step ends at its radius, not half a line's width later.
    shape: dict[str, Any] = {
        "solid_capstyle": "butt", "solid_joinstyle": "miter", "dash_joinstyle": "miter",
    }  # fmt: skip
    axes.plot(x, y, color=colour, linestyle=pattern, label="log", **shape)
    if curve.decided is not None:
        at = curve.radii.searchsorted(curve.decided)
        axes.scatter(curve.decided, curve.accuracy[at], s=22, color=colour, zorder=3, clip_on=False)
    if bound is not None:
        _, lower = drawn_steps(curve, bound)
        axes.plot(x, lower, color=colour, linestyle=pattern, linewidth=0.7, label="bound", **shape)
        if len(x) <= _MOST_BAND_POINTS:
            axes.fill_between(x, lower, y, color=colour, alpha=0.14, linewidth=0)


def _scale(axes: "Axes", largest: float, measure: str) -> None:
    axes.set_xlim(0.0, largest * 1.03 if largest > 0 else 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("L2 radius (pixels in [0, 1])")
    axes.set_ylabel(measure)


def _explain(figure: "Figure", axes: "Axes", labels: list[str], rho: float) -> None:
    from matplotlib.lines import Line2D

    lines = [line for line in axes.lines if line.get_label() == "log"]
    texts = list(labels)
    bounds = [line for line in axes.lines if line.get_label() == "bound"]
    if bounds:
        lines.append(Line2D([], [], color="#666666", linewidth=bounds[0].get_linewidth()))
        each = " each" if len(bounds) > 1 else ""
        texts.append(f"at least, with probability {1 - rho:.15g}{each}")
    inside = len(texts) <= _INSIDE and max(map(len, texts)) <= _INSIDE_LENGTH
    if inside:
        legend = axes.legend(lines, ["?"] * len(texts), loc="best")
    else:
        figure.set_figheight(figure.get_figheight() + 0.21 * len(texts))
        legend = figure.legend(lines, ["?"] * len(texts), loc="outside lower left")
    # Set afterwards: a legend leaves out labels with an underscore first, and reads $ as formulas.
    for entry, text in zip(legend.get_texts(), texts, strict=True):
        entry.set_parse_math(False)
        entry.set_text(text)


def _encoded(figure: "Figure", suffix: str) -> bytes:
    """The figure as the bytes of a file, without a date."""
    dates: dict[str, Any] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes: no reason for a traceback.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=suffix[1:], dpi=_DPI, metadata=dates.get(suffix))
    if suffix == ".png":  # opaque, it needs no fourth channel: smaller by an eighth
        opaque = Image.open(buffer).convert("RGB")
        buffer = io.BytesIO()
        opaque.save(buffer, "PNG", optimize=True, dpi=(_DPI, _DPI))
    return buffer.getvalue()


def _style() -> Any:
    """The style of all plots, whatever the user's own settings of matplotlib are."""
    require("matplotlib", "report", "a plot")
    from matplotlib import style

    return style.context(["default", _STYLE])
