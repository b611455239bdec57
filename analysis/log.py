"""Reading certification logs: ours, and those of the original code."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.errors import InputError

REQUIRED = ("idx", "label", "predict", "radius", "correct", "time")
_COUNTS = ("count", "n", "n0")


@dataclass(frozen=True)
class Log:
    """The rows of a log as columns, in the file's order.

    radius    float64, [0, 1]-pixel units; 0.0 where the row abstained
    seconds   float64, the row's `time`
    count, n, n0  int64, or None for a log of the original code
    manifest  the JSON object beside the log, or None
    complete  False for a log that is still being written, as far as the manifest tells
    """

    path: Path
    idx: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    predict: npt.NDArray[np.int64]
    radius: npt.NDArray[np.float64]
    correct: npt.NDArray[np.bool_]
    seconds: npt.NDArray[np.float64]
    count: npt.NDArray[np.int64] | None
    n: npt.NDArray[np.int64] | None
    n0: npt.NDArray[np.int64] | None
    manifest: dict[str, Any] | None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.idx)

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    @property
    def run(self) -> dict[str, Any]:
        """The manifest's description of the run; empty without a manifest."""
        run = (self.manifest or {}).get("run")
        return run if isinstance(run, dict) else {}

    @property
    def complete(self) -> bool:
        """Whether the run is finished, as far as the manifest tells."""
        return self.manifest is None or self.manifest.get("status") == "complete"


def parse_time(text: str) -> float:
    """Seconds of `h:mm:ss.ffffff` (with days as a timedelta prints them), or of a plain number."""
    days, _, clock = text.rpartition(" day")
    parts = clock.lstrip("s, ").split(":")
    if len(parts) == 3:
        seconds = int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])
    elif len(parts) == 1 and not days:
        seconds = float(parts[0])
    else:
        raise ValueError(text)
    seconds += int(days) * 86_400 if days else 0
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(text)
    return seconds


def read_log(path: Path) -> Log:
    """Read a log. A torn last line (the log is still growing) is left out.

    Raises InputError naming the file, the line and the value where it is not a log: columns
    missing, a field that does not parse or is out of range, an image twice, no rows.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: expected a certification log") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a log ({error})") from None
    lines = text[: text.rfind("\n") + 1].splitlines()
    names = lines[0].split("\t") if lines else []
    if tuple(names[: len(REQUIRED)]) != REQUIRED:
        raise InputError(
            f"{path} begins with {(lines or [''])[0][:60]!r}: expected the columns "
            f"{' '.join(REQUIRED)}, tab separated"
        )
    if len(lines) == 1:
        raise InputError(f"{path} has no rows yet: expected at least one certificate")
    rows = [line.split("\t") for line in lines[1:]]
    columns: dict[str, list[str]] = {}
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(f"{path} line {number} has {len(row)} fields: expected {len(names)}")
    for position, name in enumerate(names):
        columns[name] = [row[position] for row in rows]
    idx = _integers(path, columns, "idx", 0)
    _refuse_repeats(path, idx)
    count, n, n0 = (
        _integers(path, columns, name, 0) if name in columns else None for name in _COUNTS
    )
    return Log(
        path=path,
        idx=idx,
        label=_integers(path, columns, "label", 0),
        predict=_integers(path, columns, "predict", -1),
        radius=_reals(path, columns, "radius"),
        correct=_integers(path, columns, "correct", 0, 1).astype(np.bool_),
        seconds=_reals(path, columns, "time"),
        count=count,
        n=n,
        n0=n0,
        manifest=_manifest(path),
    )


def _integers(
    path: Path, columns: dict[str, list[str]], name: str, least: int, most: int = 2**62
) -> npt.NDArray[np.int64]:
    values = []
    for number, text in enumerate(columns[name], start=2):
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise InputError(
                f"{path} line {number} has {name} {text!r}: expected an integer of at least "
                f"{least}" + (f" and at most {most}" if most < 2**62 else "")
            )
        values.append(value)
    return np.array(values, np.int64)


def _reals(path: Path, columns: dict[str, list[str]], name: str) -> npt.NDArray[np.float64]:
    parse = parse_time if name == "time" else float
    values = []
    for number, text in enumerate(columns[name], start=2):
        try:
            value = parse(text)
        except ValueError:
            value = -1.0
        if not 0.0 <= value < math.inf:
            raise InputError(
                f"{path} line {number} has {name} {text!r}: expected a number of at least 0"
            )
        values.append(value)
    return np.array(values, np.float64)


def _refuse_repeats(path: Path, idx: npt.NDArray[np.int64]) -> None:
    values, counts = np.unique(idx, return_counts=True)
    if counts.max() > 1:
        raise InputError(f"{path} has image {values[counts.argmax()]} twice: expected each once")


def _manifest(path: Path) -> dict[str, Any] | None:
    beside = path.with_name(path.name + ".json")
    try:
        manifest = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{beside} cannot be read as a manifest ({error})") from None
    if not isinstance(manifest, dict):
        raise InputError(f"{beside} is no manifest: expected a JSON object")
    return manifest
