"""The rows of a log: a decided image as one line of text, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.statistics.procedures import Transfer

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
)
HEADER = "\t".join(COLUMNS) + "\n"

TRANSFER_COLUMNS = (
    "predict_transfer",
    "radius_transfer",
    "covers_transfer",
    "losses",
    "n_zeta",
    "zeta_upper",
)
"""Further columns of a run that transfers its certificates to a reference model."""


def columns_of(run: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a run's log."""
    return COLUMNS + TRANSFER_COLUMNS if "n_zeta" in run else COLUMNS


@dataclass(frozen=True)
class Certificate:
    """One row: `count` of `n` estimation samples carry the radius, `n0` selected the class, and
    `drawn` samples were used altogether. `covers` is the integer claim: every 8-bit image whose
    squared pixel differences sum to at most this is classified the same; 0 on abstention."""

    idx: int
    label: int
    predict: int
    radius: float
    seconds: float
    count: int
    n: int
    n0: int
    drawn: int
    covers: int
    transfer: Transfer | None = None

    def line(self) -> str:
        """The row as text; the radius is a multiple of 1e-6, so printing cannot raise it."""
        fields: tuple[object, ...] = (
            self.idx,
            self.label,
            self.predict,
            f"{self.radius:.6f}",
            int(self.predict == self.label),
            format_time(self.seconds),
            self.count,
            self.n,
            self.n0,
            self.drawn,
            self.covers,
        )
        if self.transfer is not None:
            fields += self.transfer.fields()
        return "\t".join(map(str, fields)) + "\n"


def format_time(seconds: float) -> str:
    """h:mm:ss.ffffff, as the original code prints a timedelta."""
    micro = round(seconds * 1e6)
    minutes, micro = divmod(micro, 60_000_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{micro // 10**6:02d}.{micro % 10**6:06d}"


def read_rows(path: Path, text: str, columns: tuple[str, ...] = COLUMNS) -> dict[int, str]:
    """The complete rows of a log by index; raises InputError naming the first bad line."""
    lines = text.splitlines(keepends=True)
    header = "\t".join(columns)
    if lines and lines[0] != header + "\n":
        raise InputError(
            f"{path} has the header {lines[0].rstrip()!r}: expected {header!r}; "
            "choose another output"
        )
    rows: dict[int, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        index, tab, rest = line.partition("\t")
        if not (index.isdecimal() and tab) or rest.count("\t") != len(columns) - 2:
            raise InputError(f"{path} line {number} is no row of a log: {line.rstrip()[:80]!r}")
        if int(index) in rows:
            raise InputError(f"{path} line {number} repeats image {index}: expected each once")
        rows[int(index)] = line
    return rows


def parse_certificates(path: Path, columns: tuple[str, ...] = COLUMNS) -> list[Certificate]:
    """The complete rows of a log of ours; raises InputError for a field that does not parse."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a log ({error})") from None
    certificates = []
    for line in read_rows(path, text[: text.rfind("\n") + 1], columns).values():
        field = dict(zip(columns, line.rstrip("\n").split("\t"), strict=True))
        try:
            certificate = Certificate(
                int(field["idx"]),
                int(field["label"]),
                int(field["predict"]),
                float(field["radius"]),
                0.0,
                int(field["count"]),
                int(field["n"]),
                int(field["n0"]),
                int(field["drawn"]),
                int(field["covers"]),
                _transfer(field) if "losses" in field else None,
            )
        except ValueError as error:
            raise InputError(f"{path} image {field['idx']} does not parse: {error}") from None
        certificates.append(certificate)
    return certificates


def _transfer(field: dict[str, str]) -> Transfer:
    return Transfer(
        int(field["predict_transfer"]),
        float(field["radius_transfer"]),
        int(field["losses"]),
        int(field["n_zeta"]),
        float(field["zeta_upper"]),
    )
