"""A log that can be asked for its table, its DataFrame and its plot."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smoothcert.analysis import log as logs
from smoothcert.analysis.formats import as_html, render
from smoothcert.analysis.reading.fields import decimals, integers
from smoothcert.analysis.reading.names import OURS, check_columns
from smoothcert.analysis.reading.table import split_table
from smoothcert.analysis.reading.text import whole_lines
from smoothcert.analysis.table import AccuracyTable, accuracy_table, check_radii
from smoothcert.analysis.usual_radii import usual_radii
from smoothcert.engine.base.errors import require
from smoothcert.engine.base.ranges import ALPHA, RADIUS, RHO
from smoothcert.engine.log.rows import BUDGET_COLUMNS, TRANSFER_COLUMNS, TWO_CLASS_COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_DECIMALS = ("radius_transfer", "zeta_upper")
_FURTHER = ("pixels", *TWO_CLASS_COLUMNS, *BUDGET_COLUMNS, *TRANSFER_COLUMNS)


@dataclass(frozen=True)
class Table:
    """Certified accuracy at radii, which prints as `smoothcert analyze` does, and shows as HTML in
    a notebook; the numbers are in `figures`."""

    figures: AccuracyTable

    def __str__(self) -> str:
        return render(self.figures, "text")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.figures)


class ReadLog(logs.Log):
    """A log, and what can be made of it."""

    def table(
        self,
        radii: Sequence[float] | None = None,
        *,
        alpha: float | None = None,
        rho: float | None = None,
    ) -> Table:
        """The certified accuracy at each of `radii` (None: see usual_radii): the share of the
        images that are classified correctly and certified within it; without labels, the share
        that is certified.

        alpha, rho  as of `smoothcert analyze`: they add what the accuracy is at least, with
                    probability 1 - rho over the noise of the whole log
        Raises InputError for radii that a log of table mode does not decide, and as accuracy_table.
        """
        wanted = usual_radii([self]) if radii is None else _radii(radii)
        return Table(accuracy_table([self], wanted, *_levels(alpha, rho)))

    def plot(self, *, alpha: float | None = None, rho: float | None = None) -> "Figure":
        """The certified accuracy at every radius as a matplotlib figure; see accuracy_figure.
        Raises InputError without matplotlib, and as accuracy_figure."""
        from smoothcert.analysis.plot import accuracy_figure

        return accuracy_figure([self], *_levels(alpha, rho))

    def to_pandas(self) -> "DataFrame":
        """The rows, in the log's order and with its columns: integers, radii as floats, `correct`
        as a bool, `time` as a Timedelta, `pixels` as text. Raises InputError without pandas."""
        pandas = require("pandas", "pandas", "a DataFrame")
        columns: dict[str, Any] = {
            "idx": self.idx,
            "label": self.label,
            "predict": self.predict,
            "radius": self.radius,
            "correct": self.correct,
            "time": pandas.to_timedelta(np.round(self.seconds * 10**6).astype(np.int64), unit="us"),
        }
        columns |= {name: getattr(self, name) for name in OURS if name not in columns}
        found: DataFrame = pandas.DataFrame(
            {name: values for name, values in (columns | self._further()).items()
             if values is not None}
        )  # fmt: skip
        return found

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def _further(self) -> dict[str, Any]:
        """The columns that a log of ours has beside those of the original and of the counts."""
        if self.manifest is None:
            return {}
        # Rows that were appended after this was read are left out.
        whole, torn = whole_lines(self.path, finished=False)
        table = split_table(self.path, [*whole, torn][: len(self) + 1], further=_FURTHER)
        found: dict[str, Any] = {}
        for name in _FURTHER:
            if name not in table.columns:
                continue
            if name == "pixels":
                found[name] = table.columns[name]
            elif name in _DECIMALS:
                found[name] = decimals(table, name)
            else:
                found[name] = integers(table, name, -1)
        return found


def read_log(path: str | Path, columns: Sequence[str] | None = None) -> ReadLog:
    """Read a log: ours, of the original code or of its descendants; see read_log of
    analysis/log.py, and of `smoothcert analyze --columns`.

    The columns are its arrays (`radius`, `correct`, ...); `table`, `plot` and `to_pandas` make more
    of them.
    """
    found = logs.read_log(Path(path), None if columns is None else check_columns(columns))
    return ReadLog(**{field.name: getattr(found, field.name) for field in fields(found)})


def _radii(radii: Sequence[float]) -> list[float]:
    return check_radii([float(RADIUS.check(radius, "radii")) for radius in radii])


def _levels(alpha: float | None, rho: float | None) -> tuple[float | None, float | None]:
    return (
        None if alpha is None else float(ALPHA.check(alpha)),
        None if rho is None else float(RHO.check(rho)),
    )
