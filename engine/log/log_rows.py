"""The rows of a log whose lines are whole: each is a row of its run, or the first that is none is
named."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.row_form import RowFormError, fields_in, quoted
from smoothcert.engine.log.row_rules import RowRules, label_objection
from smoothcert.engine.log.rows import Certificate, columns_of, earlier_columns, header_of

_LONGEST = 4096
"""Bytes of a line that are read at once; no row has as many."""


@dataclass(frozen=True)
class LoggedRow:
    """A row of a log.

    line    its bytes, with the line feed
    fields  its text by column
    """

    line: bytes
    fields: Mapping[str, str]
    certificate: Certificate

    @property
    def index(self) -> int:
        """The image."""
        return self.certificate.index


def check_header(path: Path, line: bytes, columns: tuple[str, ...]) -> None:
    """Raise InputError unless a first line, with its end, is the header of these columns."""
    header = header_of(columns)
    if "pixels" in columns and line == header_of(earlier_columns(columns)).encode():
        raise InputError(
            f"{path} has no column pixels, which says what images were certified: an earlier "
            "version wrote it; go on with that version, or choose another output"
        )
    if line != header.encode():
        raise InputError(
            f"{path} has the header {quoted(line, 200)}: expected {header!r}; choose another output"
        )


def rows_in(
    path: Path,
    file: BinaryIO,
    run: Mapping[str, Any],
    rules: RowRules | None = None,
    *,
    ascending: bool = False,
) -> Iterator[LoggedRow]:
    """The rows of a run's log at `path`; `file` is it, at its beginning.

    rules      what a row must be beside of the form; None: whatever has it
    ascending  whether the rows must be in the order of a finished run (which takes no memory of
               those before)
    Raises InputError, naming the line, at the first one that is torn, no row, or of an image that
    has a row already; and for another header.
    """
    columns, latest = columns_of(run), (False, -1)
    seen: dict[int, int] = {}
    check_header(path, file.readline(_LONGEST), columns)
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), start=2):
        try:
            row = row_of(line, columns)
        except RowFormError as error:
            raise _refusal(path, number, line, str(error)) from None
        index = row.index
        if index in seen:
            raise InputError(
                f"{path} line {number} repeats image {index} of line {seen[index]}: expected each "
                "once; was it edited? choose another output"
            )
        order = row.certificate.order
        if ascending and order <= latest:
            after = f"comes after image {latest[1]}, and is of"
            words = "repeats" if order == latest else after
            raise InputError(
                f"{path} line {number} {words} image {index}: expected the images of a finished "
                "run in their order; was it edited? run it again"
            )
        objection = label_objection(row.certificate.label, run)
        if objection is None and rules is not None:
            objection = rules.objection(row.certificate, row.fields)
        if objection is not None:
            raise _refusal(path, number, line, objection)
        latest = order
        if not ascending:
            seen[index] = number
        yield row


def row_of(line: bytes, columns: tuple[str, ...]) -> LoggedRow:
    """The row that a line, with its end, is; raises RowFormError for one that is none."""
    if not line.endswith(b"\n"):
        raise RowFormError("is torn" if len(line) < _LONGEST else "is longer than any row")
    fields = fields_in(line[:-1], columns)
    return LoggedRow(line, fields, Certificate.of_fields(fields))


def _refusal(path: Path, number: int, line: bytes, why: str) -> InputError:
    text = quoted(line.removesuffix(b"\n"))
    return InputError(
        f"{path} line {number} is no row of this run: it {why} ({text}); was it edited? mend it, "
        "or choose another output"
    )
