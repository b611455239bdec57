"""The rows of a log under audit: read as far as they can be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.log.row_form import RowFormError, fields_in, index_in, quoted
from smoothcert.engine.log.rows import Certificate, earlier_columns, header_of


@dataclass
class LoggedRows:
    """What a log holds.

    certificates  of the rows that are whole and of numbers, by image
    fields        their text by column
    present       every image that has a row, whatever it holds, and its line
    findings      what is wrong with the others, and with the file
    """

    certificates: dict[int, Certificate] = field(default_factory=dict)
    fields: dict[int, Mapping[str, str]] = field(default_factory=dict)
    present: dict[int, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def read_rows_under_audit(log: Path, columns: tuple[str, ...], *, in_order: bool) -> LoggedRows:
    """The rows of a log that anyone may have edited.

    in_order  whether they must be in that of their images, as those of a finished run are
    Raises InputError where it cannot be read at all, or is of a version without digests of pixels.
    """
    lines = read_regular(log, "a log").split(b"\n")
    found, header = LoggedRows(), header_of(columns)
    if lines[0] == header_of(earlier_columns(columns)).rstrip("\n").encode():
        raise InputError(
            f"{log} has no column pixels, which says what images were certified: an earlier "
            "version wrote it; audit it with that version"
        )
    if lines[0] != header.rstrip("\n").encode():
        found.findings.append(f"line 1 is {quoted(lines[0])}: expected the header {header[:-1]!r}")
    if torn := lines.pop():
        found.findings.append(f"the last line is torn: {quoted(torn)}")
    for number, line in enumerate(lines[1:], start=2):
        if problem := _take(line, number, columns, found):
            found.findings.append(f"line {number} {problem}: {quoted(line)}")
    certificates = found.certificates

    def place(index: int) -> tuple[bool, int]:
        return certificates[index].order if index in certificates else (False, index)

    if in_order and list(found.present) != sorted(found.present, key=place):
        found.findings.append("the rows are not in the order of their images")
    return found


def _take(line: bytes, number: int, columns: tuple[str, ...], found: LoggedRows) -> str | None:
    """Add a row; what is wrong with it where it is none."""
    index = index_in(line)
    if index is not None and index in found.present:
        return f"repeats image {index} of line {found.present[index]}"
    if index is not None:
        found.present[index] = number
    try:
        fields = fields_in(line, columns)
    except RowFormError as error:
        return str(error)
    certificate = Certificate.of_fields(fields)
    found.certificates[certificate.index] = certificate
    found.fields[certificate.index] = fields
    return None
