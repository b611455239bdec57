"""The figures behind a report's charts: histograms, and throughput over time."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.log import Log

_MOST_BINS = 40
_MOST_WINDOWS = 60


def bin_width(largest: float, bins: int = _MOST_BINS) -> float:
    """A round width (1, 2, 2.5 or 5 times a power of ten) of at most `bins` bins up to largest."""
    if not largest > 0.0:
        return 1.0
    raw = largest / bins
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if m * power >= raw)


def radius_histogram(log: Log, width: float) -> dict[str, Any]:
    """Rows per radius bin [i * width, (i + 1) * width): correct ones, and wrong predictions.

    Abstentions are in no bin; without labels every prediction is in `correct`.
    """
    wrong = ~log.counted & ~log.abstained
    places = _bins(log.radius, width)
    bins = int(places.max()) + 1
    return {
        "width": width,
        "correct": np.bincount(places[log.counted], minlength=bins).tolist(),
        "wrong": np.bincount(places[wrong], minlength=bins).tolist(),
    }


def samples_drawn(log: Log) -> npt.NDArray[np.int64] | None:
    """Samples used per row, int64 [rows]: drawn, else n0 + n; None where the log has neither."""
    if log.drawn is not None:
        return log.drawn
    if log.n is not None and log.n0 is not None:
        return log.n + log.n0
    return None


def samples_histogram(logs: Sequence[Log]) -> list[dict[str, Any] | None]:
    """Per log, rows per bin of samples used, with one bin width; None where not recorded."""
    drawn = [samples_drawn(log) for log in logs]
    largest = max((int(d.max()) for d in drawn if d is not None), default=0)
    width = max(1.0, bin_width(float(largest)))
    return [
        None
        if d is None
        else {
            "width": width,
            "rows": np.bincount(_bins(d, width)).tolist(),
            "mean": float(d.mean()),
            "least": int(d.min()),
            "most": int(d.max()),
        }
        for d in drawn
    ]


def throughput(log: Log) -> dict[str, Any] | None:
    """Samples per second (images, where samples are not recorded) over the time of the rows.

    Consecutive rows, in the log's order, in at most 60 windows of equally many rows: `ends` in
    seconds from the first row's start, `rate` within each window. None where no time passed.
    """
    drawn = samples_drawn(log)
    work = np.ones(len(log)) if drawn is None else drawn.astype(np.float64)
    windows = min(_MOST_WINDOWS, len(log))
    starts = np.arange(windows) * len(log) // windows
    seconds = np.add.reduceat(log.seconds, starts)
    done = np.add.reduceat(work, starts)
    if not seconds.sum() > 0.0:
        return None
    passed = seconds > 0.0
    return {
        "unit": "images" if drawn is None else "samples",
        "ends": np.cumsum(seconds[passed]).tolist(),
        "rate": (done[passed] / seconds[passed]).tolist(),
        "mean": float(done.sum() / seconds.sum()),
    }


def _bins(values: npt.NDArray[Any], width: float) -> npt.NDArray[np.int64]:
    # A decimal such as 0.3 lies a bit below 3 * 0.1 in binary.
    return np.floor(values / width + 1e-9).astype(np.int64)
