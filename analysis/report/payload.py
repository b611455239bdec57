"""What a report's scripts read: the rows and the charts of its logs, as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from smoothcert.analysis.accuracy import high_probability_accuracy
from smoothcert.analysis.curve import certified_curve
from smoothcert.analysis.envelope import NAME, envelope_at, envelope_curve
from smoothcert.analysis.log import Log
from smoothcert.analysis.report.charts import (
    bin_width,
    radius_histogram,
    samples_histogram,
    throughput,
)
from smoothcert.analysis.table import no_bound

_COLUMNS = ("n", "count", "drawn", "covers")
# Integers from here on are no longer exact in a browser; they travel as text.
_EXACT = 2**53


def failure_probability(log: Log, alpha: float | None) -> float | None:
    """The alpha of a log's high-probability figures; None where it has none (table.no_bound)."""
    if no_bound(log, alpha) is not None:
        return None
    return log.alpha if alpha is None else alpha


def payload(
    logs: Sequence[Log], names: Sequence[str], alpha: float | None, rho: float
) -> list[dict[str, Any]]:
    """Per log: its columns, its curve with the lower bounds at rho, and its charts' figures."""
    width = bin_width(max(float(log.radius.max()) for log in logs))
    samples = samples_histogram(logs)
    parts = []
    for log, name, drawn in zip(logs, names, samples, strict=True):
        curve = certified_curve(log)
        radii, accuracy = curve.radii, curve.accuracy
        level = failure_probability(log, alpha)
        lower = None
        if level is not None:
            lower = high_probability_accuracy(log, radii, level, rho).tolist()
        parts.append(
            {
                "name": name,
                "rows": len(log),
                "complete": log.complete,
                "decided": None if log.table_radii is None else list(log.table_radii),
                "curve": {"radii": radii.tolist(), "accuracy": accuracy.tolist(), "lower": lower},
                "radius_histogram": radius_histogram(log, width),
                "samples_histogram": drawn,
                "throughput": throughput(log),
                "columns": _columns(log),
            }
        )
    return parts


def envelope_payload(logs: Sequence[Log], alpha: float | None, rho: float) -> dict[str, Any]:
    """The envelope as `payload` has a log: its curve, with a bound where all logs have one."""
    curve = envelope_curve(logs)
    radii = curve.radii.tolist()
    alphas = [failure_probability(log, alpha) for log in logs]
    return {
        "name": NAME,
        "rows": len(logs[0]),
        "decided": None if curve.decided is None else curve.decided.tolist(),
        "curve": {
            "radii": radii,
            "accuracy": curve.accuracy.tolist(),
            "lower": envelope_at(logs, radii, alphas, rho).lower,
        },
    }


def _columns(log: Log) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "idx": log.idx.tolist(),
        "label": log.label.tolist(),
        "predict": log.predict.tolist(),
        "radius": log.radius.tolist(),
        "time": log.seconds.round(6).tolist(),
    }
    for name in _COLUMNS:
        column = getattr(log, name)
        if column is not None:
            values = column.tolist()
            exact = max(values) < _EXACT
            columns[name] = values if exact else list(map(str, values))
    return columns


def script_json(value: object) -> str:
    """JSON that is inert within a script element, whatever its strings hold."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
