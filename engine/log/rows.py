"""A row of a log: a decided image as one line of text, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.statistics.class_bounds import TwoClass
from smoothcert.engine.statistics.procedures import Decision, Transfer

COLUMNS = (
    "idx",
    "label",
    "predict",
    "radius",
    "correct",
    "time",
    "count",
    "n",
    "n0",
    "drawn",
    "covers",
    "pixels",
)

TWO_CLASS_COLUMNS = ("runner_up",)
"""Further column of a run whose bound is two-class."""

BUDGET_COLUMNS = ("undecided",)
"""Further column of a run under a budget."""

TRANSFER_COLUMNS = (
    "predict_transfer",
    "radius_transfer",
    "covers_transfer",
    "losses",
    "n_zeta",
    "zeta_upper",
)
"""Further columns of a run that transfers its certificates to a reference model."""


def header_of(columns: tuple[str, ...]) -> str:
    """The first line of a log."""
    return "\t".join(columns) + "\n"


def earlier_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Those of them that logs had before pixels were pinned."""
    return tuple(name for name in columns if name != "pixels")


def columns_of(run: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a run's log."""
    if run.get("bound") == TwoClass.NAME:
        return COLUMNS + TWO_CLASS_COLUMNS
    if run.get("budgeted"):
        return COLUMNS + BUDGET_COLUMNS
    return COLUMNS + TRANSFER_COLUMNS if "n_zeta" in run else COLUMNS


@dataclass(frozen=True)
class Certificate:
    """A decided image, which is a row of the log.

    index    in the source
    label    the source's; -1 where it is unlabelled, which nothing is correct for
    seconds  its share, by samples, of the run's wall time
    digest   of the pixels that were certified (sources/pixels.py)
    repeated, turned   rows that were drawn a second time, and those whose vote was then another;
             not logged
    """

    index: int
    label: int
    decision: Decision
    seconds: float
    digest: str
    repeated: int = 0
    turned: int = 0

    @property
    def order(self) -> tuple[bool, int]:
        """Its place in the log of a finished run: by image, those with undecided radii last."""
        return bool(self.decision.undecided), self.index

    def fields(self) -> dict[str, str]:
        """The row's text by column, in their order; radii are multiples of 1e-6, so printing
        cannot raise them."""
        decision, transfer = self.decision, self.decision.transfer
        found: dict[str, object] = {
            "idx": self.index,
            "label": self.label,
            "predict": decision.predict,
            "radius": f"{decision.radius:.6f}",
            "correct": int(decision.predict == self.label >= 0),
            "time": format_time(self.seconds),
            "count": decision.count,
            "n": decision.n,
            "n0": decision.n0,
            "drawn": decision.drawn,
            "covers": decision.covers,
            "pixels": self.digest,
        }
        if decision.runner_up is not None:
            found["runner_up"] = decision.runner_up
        if decision.undecided is not None:
            found["undecided"] = decision.undecided
        if transfer is not None:
            found |= {
                "predict_transfer": transfer.predict,
                "radius_transfer": f"{transfer.radius:.6f}",
                "covers_transfer": transfer.covers,
                "losses": transfer.losses,
                "n_zeta": transfer.n_zeta,
                "zeta_upper": f"{transfer.zeta:.9f}",
            }
        return {name: str(value) for name, value in found.items()}

    def line(self) -> str:
        """The row as text."""
        return "\t".join(self.fields().values()) + "\n"

    @classmethod
    def of_fields(cls, fields: Mapping[str, str]) -> "Certificate":
        """The inverse of `fields`, of those that nothing else implies: `correct` and `covers` are
        not read. Raises ValueError for text that is no number."""
        transfer = None
        if "losses" in fields:
            transfer = Transfer(
                int(fields["predict_transfer"]),
                float(fields["radius_transfer"]),
                int(fields["losses"]),
                int(fields["n_zeta"]),
                float(fields["zeta_upper"]),
            )
        decision = Decision(
            int(fields["predict"]),
            float(fields["radius"]),
            int(fields["count"]),
            int(fields["n"]),
            int(fields["n0"]),
            int(fields["drawn"]),
            transfer,
            int(fields["runner_up"]) if "runner_up" in fields else None,
            int(fields["undecided"]) if "undecided" in fields else None,
        )
        index, label, seconds = int(fields["idx"]), int(fields["label"]), _seconds(fields["time"])
        return cls(index, label, decision, seconds, fields["pixels"])


def format_time(seconds: float) -> str:
    """h:mm:ss.ffffff, as the original code prints a timedelta."""
    micro = round(seconds * 1e6)
    minutes, micro = divmod(micro, 60_000_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{micro // 10**6:02d}.{micro % 10**6:06d}"


def _seconds(text: str) -> float:
    """The inverse of format_time, to the microsecond."""
    hours, minutes, seconds = text.split(":")
    whole, micro = seconds.split(".")
    return (((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 10**6 + int(micro)) / 10**6
