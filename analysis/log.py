"""Reading certification logs: ours, and those of the original code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.columns import decimals, integers, shown, split_columns
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path, read_json

REQUIRED = ("idx", "label", "predict", "radius", "correct", "time")
# What the original code's predict.py writes.
_PREDICTIONS = ("idx", "label", "predict", "correct", "time")
_COUNTS = ("count", "n", "n0", "drawn", "covers")


@dataclass(frozen=True)
class Log:
    """The rows of a log as columns, in the file's order.

    radius    float64, [0, 1]-pixel units; 0.0 where the row abstained or only predicts
    seconds   float64, the row's `time`
    count, n, n0, drawn, covers  int64, or None for a log of the original code
    manifest  the JSON object beside the log, or None
    radius_column, torn   whether the file has one; whether it ended within a line, left out here
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
    drawn: npt.NDArray[np.int64] | None
    covers: npt.NDArray[np.int64] | None
    manifest: dict[str, Any] | None
    radius_column: bool = True
    torn: bool = False

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.idx)

    @property
    def name(self) -> str:
        """The file's name without `.tsv` (the original's logs have names like sigma_0.25)."""
        return self.path.name.removesuffix(".tsv")

    @property
    def abstained(self) -> npt.NDArray[np.bool_]:
        """Which rows make no prediction."""
        return np.equal(self.predict, -1)

    @property
    def run(self) -> dict[str, Any]:
        """The manifest's description of the run; empty without a manifest."""
        run = (self.manifest or {}).get("run")
        return run if isinstance(run, dict) else {}

    @property
    def sigma(self) -> float | None:
        """The noise level, where the manifest tells; raises InputError where it is none."""
        return self._level("sigma", 1e6)

    @property
    def alpha(self) -> float | None:
        """Each row's failure probability, where the manifest tells; raises InputError where it
        is none."""
        return self._level("alpha", 1.0)

    @property
    def alpha_zeta(self) -> float | None:
        """What a transfer adds to it, where the manifest tells of one; InputError as `alpha`."""
        return self._level("alpha_zeta", 1.0)

    @property
    def row_independence(self) -> dict[str, str]:
        """By model file, how it is known that a row's votes are a function of that row alone:
        "proven" or "probed"; empty where the manifest does not tell."""
        verdicts = (self.manifest or {}).get("row_independence")
        found = verdicts if isinstance(verdicts, dict) else {}
        return {name: verdict for name, verdict in found.items() if isinstance(verdict, str)}

    @property
    def table_radii(self) -> tuple[float, ...] | None:
        """The radii that a table-mode run decides, ascending; None for other runs.

        Elsewhere its certified accuracy is only a lower bound of what more samples would show.
        """
        radii = self.run.get("radii")
        if self.run.get("procedure") != "table" or not isinstance(radii, list):
            return None
        return tuple(sorted(float(r) for r in radii if isinstance(r, int | float)))

    @property
    def has_radii(self) -> bool:
        """Whether the rows are certificates; False for a log of predict."""
        return self.radius_column and self.run.get("procedure") != "predict"

    @property
    def complete(self) -> bool:
        """Whether the run is finished, as far as the manifest tells; without one, whether the
        last line is whole."""
        return not self.torn if self.manifest is None else self.manifest.get("status") == "complete"

    @property
    def rows_follow_results(self) -> bool:
        """Whether the results there decide which images have a row: in an unfinished log of a
        procedure (or a transfer) that takes more samples of some images than of others.

        Figures for all images of such a log would be of the ones that were easily decided.
        """
        fixed = self.run.get("procedure") in ("certify", "predict") and "n_zeta" not in self.run
        return self.manifest is not None and not self.complete and not fixed

    def _level(self, name: str, below: float) -> float | None:
        value = self.run.get(name)
        if value is None:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0.0 < value < below:
            raise InputError(
                f"{manifest_path(self.path)} has {name} {shown(value)}: expected a number above 0 "
                f"and below {below:g}"
            )
        return float(value)


def read_log(path: Path) -> Log:
    """Read a log. A torn last line (the log is still growing) is left out.

    Raises InputError naming the file, the line and the value where it is not a log: columns
    missing, a field that does not parse or is out of range, fields that contradict each other, an
    image twice, no rows, or a torn line in a log whose manifest calls it complete.
    """
    # Before the rows: a writer that finishes in between must not make them look complete.
    manifest = read_json(path)
    finished = manifest is not None and manifest.get("status") == "complete"
    lines, torn = _complete_lines(path, finished)
    columns = split_columns(path, lines)
    radius_column = "radius" in columns
    idx = integers(path, columns, "idx", 0)
    _refuse_repeats(path, idx)
    log = Log(
        path=path,
        idx=idx,
        label=integers(path, columns, "label", 0),
        predict=integers(path, columns, "predict", -1),
        radius=decimals(path, columns, "radius") if radius_column else np.zeros(len(idx)),
        correct=integers(path, columns, "correct", 0, 1).astype(np.bool_),
        seconds=decimals(path, columns, "time"),
        manifest=manifest,
        radius_column=radius_column,
        torn=torn,
        **{name: integers(path, columns, name, 0) if name in columns else None
           for name in _COUNTS},
    )  # fmt: skip
    _refuse_contradictions(log)
    return log


def _complete_lines(path: Path, finished: bool) -> tuple[list[str], bool]:
    """The whole lines, and whether a torn one follows."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: expected a certification log") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): expected a certification log"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} cannot be read as text: expected a certification log") from None
    *lines, torn = text.split("\n")
    if torn and finished:
        raise InputError(
            f"{path} ends within line {len(lines) + 1} though its manifest says complete: "
            "expected whole lines; restore the file, or run the same command again"
        )
    header = lines[0] if lines else torn
    names = tuple(header.split("\t"))
    if names[: len(REQUIRED)] != REQUIRED and names != _PREDICTIONS:
        raise InputError(
            f"{path} begins with {shown(header)}: expected the columns {' '.join(REQUIRED)}, "
            "tab separated"
        )
    if len(lines) < 2:
        raise InputError(f"{path} has no rows yet: expected at least one certificate")
    return lines, bool(torn)


def _refuse_repeats(path: Path, idx: npt.NDArray[np.int64]) -> None:
    order = np.argsort(idx, kind="stable")
    repeats = order[1:][idx[order][1:] == idx[order][:-1]]
    if repeats.size:
        row = int(repeats.min())
        raise InputError(
            f"{path} line {row + 2} has image {idx[row]} again: expected each image once"
        )


def _refuse_contradictions(log: Log) -> None:
    agrees = log.correct == (log.predict == log.label)
    if not agrees.all():
        row = int(np.argmin(agrees))
        raise InputError(
            f"{log.path} line {row + 2} has correct {int(log.correct[row])} for label "
            f"{log.label[row]} and predict {log.predict[row]}: expected 1 where they agree, else 0"
        )
    claims = log.abstained & (log.radius > 0.0)
    if claims.any():
        row = int(np.argmax(claims))
        raise InputError(
            f"{log.path} line {row + 2} abstains (predict -1) with radius {log.radius[row]}: "
            "expected 0.0"
        )
