"""The rows of a log under audit: read as far as they can be, and held against their own numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.log.rows import INDEX, Certificate, earlier_columns, header_of
from smoothcert.engine.run.manifest_types import shown
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.paths.base import Seen
from smoothcert.engine.statistics.paths.following import path_of
from smoothcert.engine.statistics.procedures import Decision, Procedure
from smoothcert.engine.statistics.transfer import NO_TRANSFER, TransferCertify

_TIME = re.compile(r"[0-9]+:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}")
_DIGEST = re.compile(r"[0-9a-f]{16}")


@dataclass
class LoggedRows:
    """What a log holds.

    certificates  of the rows that are whole and of numbers, by image
    fields        their text by column
    present       every image that has a row, whatever it holds, and its line
    findings      what is wrong with the others, and with the file
    """

    certificates: dict[int, Certificate] = field(default_factory=dict)
    fields: dict[int, dict[str, str]] = field(default_factory=dict)
    present: dict[int, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def read_rows_under_audit(log: Path, columns: tuple[str, ...], *, in_order: bool) -> LoggedRows:
    """The rows of a log that anyone may have edited.

    in_order  whether they must be in that of their images, as those of a finished run are
    Raises InputError where it cannot be read at all, or is of a version without digests of pixels.
    """
    try:
        lines = log.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{log} cannot be read as a log ({error.strerror})") from None
    found, header = LoggedRows(), header_of(columns)
    if lines[0] == header_of(earlier_columns(columns)).rstrip("\n").encode():
        raise InputError(
            f"{log} has no column pixels, which says what images were certified: an earlier "
            "version wrote it; audit it with that version"
        )
    if lines[0] != header.rstrip("\n").encode():
        found.findings.append(f"line 1 is {_quoted(lines[0])}: expected the header {header[:-1]!r}")
    if torn := lines.pop():
        found.findings.append(f"the last line is torn: {_quoted(torn)}")
    for number, line in enumerate(lines[1:], start=2):
        if problem := _take(line, number, columns, found):
            found.findings.append(f"line {number} {problem}: {_quoted(line)}")
    if in_order and list(found.present) != sorted(found.present):
        found.findings.append("the rows are not in the order of their images")
    return found


def _take(line: bytes, number: int, columns: tuple[str, ...], found: LoggedRows) -> str | None:
    """Add a row; what is wrong with it where it is none."""
    try:
        fields = dict(zip(columns, line.decode().split("\t"), strict=True))
    except UnicodeDecodeError:
        return "is not UTF-8"
    except ValueError:
        return f"has not {len(columns)} fields"
    if not INDEX.fullmatch(fields["idx"]):
        return "begins with no image's index"
    index = int(fields["idx"])
    if index in found.present:
        return f"repeats image {index} of line {found.present[index]}"
    found.present[index] = number
    if not _TIME.fullmatch(fields["time"]) or not _DIGEST.fullmatch(fields["pixels"]):
        return "has another form than a row"
    try:
        certificate = Certificate.of_fields(fields)
    except (ValueError, OverflowError):
        return "holds something else than numbers"
    found.certificates[index], found.fields[index] = certificate, fields
    return None


def _quoted(line: bytes) -> str:
    return shown(line, 80)[1:]


def check_arithmetic(
    logged: Certificate, fields: Mapping[str, str], procedure: Procedure, classes: int
) -> list[str]:
    """What is wrong with a row by its own numbers: every column that they imply otherwise, and
    numbers that no trial ends with, whatever it counted."""
    claim, path = logged.decision, path_of(procedure)
    try:
        problem = _contradiction(claim, procedure, classes)
        if not problem:
            path.ranges(claim)
            implied = replace(logged, decision=_implied(claim, procedure)).fields()
            problem = path.objection(claim, logged.label, Seen(classes))
    except InputError as error:
        problem = one_line(error)
    if problem:
        return [f"image {logged.index}: {problem}"]
    evidence = f"predict {claim.predict} with {claim.count} of {claim.n}"
    if claim.transfer is not None:
        evidence += f" and {claim.transfer.losses} losses"
    return [
        f"image {logged.index}: {name} {shown(fields[name])[1:-1]} where {evidence} gives {value}"
        for name, value in implied.items()
        if name != "time" and fields[name] != value
    ]


def _contradiction(claim: Decision, procedure: Procedure, classes: int) -> str | None:
    """Why a row's numbers cannot be those of a trial at all."""
    if not (claim.predict == ABSTAIN or 0 <= claim.predict < classes):
        return f"predict {shown(claim.predict)} is no class of the {classes}"
    if not (0 <= claim.count <= claim.n and claim.n0 >= 0) or claim.n + claim.n0 > claim.drawn:
        return (
            f"count {shown(claim.count)}, n {shown(claim.n)}, n0 {shown(claim.n0)}, drawn "
            f"{shown(claim.drawn)} contradict each other"
        )
    transfer = claim.transfer
    if claim.predict == ABSTAIN or transfer is None or not isinstance(procedure, TransferCertify):
        return None
    if transfer.n_zeta != procedure.n_zeta or not 0 <= transfer.losses <= transfer.n_zeta:
        return (
            f"losses {shown(transfer.losses)} of n_zeta {shown(transfer.n_zeta)} where "
            f"{procedure.n_zeta} paired samples are drawn"
        )
    return None


def _implied(claim: Decision, procedure: Procedure) -> Decision:
    """The decision that a claim's class, counts and losses make; raises InputError where they make
    none."""
    transfer = claim.transfer
    if claim.predict == ABSTAIN:
        return replace(claim, radius=0.0, transfer=None if transfer is None else NO_TRANSFER)
    radius = procedure.radius_of(claim.count, claim.n)
    if not procedure.certifies(claim.count, claim.n):
        raise InputError(
            f"names class {claim.predict}, which {claim.count} of {claim.n} do not certify"
        )
    if transfer is not None and isinstance(procedure, TransferCertify):
        transfer = procedure.transfer_of(claim.predict, radius, transfer.losses)
    return replace(claim, radius=radius, transfer=transfer)
