"""Certification logs: ours, those of the original code, and those of its descendants."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.reading.fields import integers
from smoothcert.analysis.reading.names import COUNTS
from smoothcert.analysis.reading.rows import rows_of
from smoothcert.analysis.reading.table import split_table
from smoothcert.analysis.reading.text import whole_lines
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import FINISHED, manifest_path, read_json


@dataclass(frozen=True)
class Log:
    """The rows of a log as columns, in the file's order.

    radius    float64, [0, 1]-pixel units; 0.0 where the row abstained or only predicts
    seconds   float64, the row's `time`
    count, n, n0, drawn, covers  int64, or None for a log of the original code
    manifest  the JSON object beside the log, its entries of the types of a manifest; or None
    radius_column, torn   whether the file has one; whether it ended within a line, left out here
    labelled  False where the images have no labels: -1 in every row, and nothing is correct
    numbered  whether idx numbers the rows, for want of such a column
    said      what was inferred in reading it, a sentence each
    undecided int64, radii that a budget left undecided; None of other runs
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
    labelled: bool = True
    numbered: bool = False
    said: tuple[str, ...] = ()
    undecided: npt.NDArray[np.int64] | None = None

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
    def counted(self) -> npt.NDArray[np.bool_]:
        """Which rows count within their radius: the correct ones; without labels, all that make a
        prediction."""
        return self.correct if self.labelled else ~self.abstained

    @property
    def run(self) -> dict[str, Any]:
        """The manifest's description of the run; empty without a manifest."""
        run: dict[str, Any] = (self.manifest or {}).get("run", {})
        return run

    @property
    def sigma(self) -> float | None:
        """The noise level, where the manifest tells."""
        return self._level("sigma")

    @property
    def alpha(self) -> float | None:
        """Each row's failure probability, where the manifest tells."""
        return self._level("alpha")

    @property
    def alpha_zeta(self) -> float | None:
        """What a transfer adds to it, where the manifest tells of one."""
        return self._level("alpha_zeta")

    @property
    def row_independence(self) -> dict[str, str]:
        """By model file, how it is known that a row's votes are a function of that row alone:
        "proven" or "probed"; empty where the manifest does not tell."""
        verdicts: dict[str, str] = (self.manifest or {}).get("row_independence", {})
        return verdicts

    @property
    def table_radii(self) -> tuple[float, ...] | None:
        """The radii that a table-mode run decides, ascending; None for other runs.

        Elsewhere its certified accuracy is only a lower bound of what more samples would show.
        """
        radii = self.run.get("radii")
        if self.run.get("procedure") != "table" or radii is None:
            return None
        return tuple(sorted(map(float, radii)))

    @property
    def has_radii(self) -> bool:
        """Whether the rows are certificates; False for a log of predict."""
        return self.radius_column and self.run.get("procedure") != "predict"

    @property
    def complete(self) -> bool:
        """Whether the run is finished, as far as the manifest tells; without one, whether the
        last line is whole."""
        if self.manifest is None:
            return not self.torn
        return self.manifest.get("status") in FINISHED

    @property
    def rows_follow_results(self) -> bool:
        """Whether the results there decide which images have a row: in an unfinished log of a
        procedure (or a transfer) that takes more samples of some images than of others.

        Figures for all images of such a log would be of the ones that were easily decided.
        """
        fixed = self.run.get("procedure") in ("certify", "predict") and "n_zeta" not in self.run
        return self.manifest is not None and not self.complete and not fixed

    def _level(self, name: str) -> float | None:
        value = self.run.get(name)
        return None if value is None else float(value)


def read_log(path: Path, columns: Sequence[str] | None = None) -> Log:
    """Read a log. A torn last line (the log is still growing) is left out.

    Columns go by name, in any order; of logs that others wrote, what had to be inferred is in
    `Log.said`. `columns` names them instead, from left to right, whether the log has a header or
    not: "-" for one to ignore.

    Raises InputError naming the file, the line and the value where it is not a log: columns
    missing or of two meanings, a field that does not parse or is out of range, fields that
    contradict each other, an image twice, or a torn line or another number of rows in a log whose
    manifest calls it complete; EmptyLogError where it has no rows.
    """
    # Before the rows: a writer that finishes in between must not make them look complete.
    manifest = read_json(path)
    lines, torn = whole_lines(path, manifest is not None and manifest.get("status") in FINISHED)
    if columns is None and not lines:
        lines = [torn]
    table = split_table(path, lines, columns)
    rows = rows_of(table)
    _refuse_missing(path, manifest, len(rows.idx))
    said = [*table.said, *rows.said]
    run = (manifest or {}).get("run", {})
    budgeted = bool(run.get("budgeted")) and "undecided" in table.columns
    if torn and manifest is None and not table.strict:
        said.append(f"line {len(lines) + 1} does not end: left out")
    if not rows.labelled and manifest is None:
        said.append("no labels: certified whatever the class")
    return Log(
        path=path,
        idx=rows.idx,
        label=rows.label,
        predict=rows.predict,
        radius=rows.radius,
        correct=rows.correct,
        seconds=rows.seconds,
        manifest=manifest,
        radius_column="radius" in table.columns,
        torn=bool(torn),
        labelled=rows.labelled,
        numbered="idx" not in table.columns,
        said=tuple(said),
        undecided=integers(table, "undecided", 0) if budgeted else None,
        **{name: integers(table, name, 0) if name in table.columns else None for name in COUNTS},
    )


def files_of(logs: Sequence[Log]) -> list[Path]:
    """The files that logs were read from, their manifests included: nothing may write over them."""
    return [file for log in logs for file in (log.path, manifest_path(log.path))]


def _refuse_missing(path: Path, manifest: dict[str, Any] | None, rows: int) -> None:
    """Raise InputError where a finished run has not as many rows as it wrote."""
    images = (manifest or {}).get("images")
    status = (manifest or {}).get("status")
    if status in FINISHED and images is not None and images != rows:
        raise InputError(
            f"{path} has {rows} rows and its manifest says {status}, with {images}: expected all "
            "of them; restore the file, or run the same command again"
        )
