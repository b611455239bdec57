"""Auditing a log: every row against its own arithmetic, some rows against the network."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.log.rows import (
    COLUMNS,
    TRANSFER_COLUMNS,
    Certificate,
    columns_of,
    parse_certificates,
    read_rows,
)
from smoothcert.engine.run.scheduler import Outcome, Scheduler
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.bounds import ABSTAIN, covered_squared_distance
from smoothcert.engine.statistics.procedures import Procedure, Transfer
from smoothcert.engine.statistics.transfer import NO_TRANSFER, TransferCertify, TransferDecision

FOREIGN_TOLERANCE = 0.002
"""On another processor or runtime, float rounding may turn a few votes: the share of a row's n
by which its count may differ there."""


@dataclass(frozen=True)
class AuditReport:
    """rows checked by arithmetic, rows certified again, and one line for everything wrong.

    exact  whether counts had to match bit for bit (the same runtime and processor)
    """

    rows: int
    repeated: int
    exact: bool
    findings: list[str]


def check_arithmetic(certificate: Certificate, line: str, procedure: Procedure) -> list[str]:
    """What is wrong with a row by its own numbers: its radius, claim and columns."""
    c, wrong = certificate, []
    columns = COLUMNS if c.transfer is None else COLUMNS + TRANSFER_COLUMNS
    fields = dict(zip(columns, line.rstrip("\n").split("\t"), strict=True))
    if fields["correct"] != str(int(c.predict == c.label)):
        wrong.append(f"correct is {fields['correct']} for label {c.label}, predict {c.predict}")
    if not 0 <= c.count <= c.n or c.n + c.n0 > c.drawn:
        wrong.append(f"count {c.count}, n {c.n}, n0 {c.n0}, drawn {c.drawn} contradict each other")
        return [f"image {c.idx}: {problem}" for problem in wrong]
    if c.predict == ABSTAIN:
        if (c.radius, c.covers) != (0.0, 0):
            wrong.append(f"abstains with radius {c.radius} and covers {c.covers}")
    else:
        try:
            radius = procedure.radius_of(c.count, c.n)
            certified = procedure.certifies(c.count, c.n)
        except InputError as error:
            return [f"image {c.idx}: {error}"]
        if not certified:
            wrong.append(f"names class {c.predict}, which {c.count} of {c.n} do not certify")
        elif fields["radius"] != f"{radius:.6f}":
            wrong.append(f"radius {fields['radius']} where {c.count} of {c.n} give {radius:.6f}")
        if c.covers != covered_squared_distance(c.radius):
            wrong.append(f"covers {c.covers} where radius {c.radius} gives "
                         f"{covered_squared_distance(c.radius)}")  # fmt: skip
    if c.transfer is not None and isinstance(procedure, TransferCertify):
        wrong += _check_transfer(c, c.transfer, fields, procedure)
    return [f"image {c.idx}: {problem}" for problem in wrong]


def _check_transfer(
    c: Certificate, logged: Transfer, fields: dict[str, str], procedure: TransferCertify
) -> list[str]:
    """What is wrong with a row's columns on the reference model, by its own numbers."""
    if c.predict == ABSTAIN:
        expected = NO_TRANSFER
    elif logged.n_zeta != procedure.n_zeta or not 0 <= logged.losses <= logged.n_zeta:
        return [f"losses {logged.losses} of n_zeta {logged.n_zeta} where {procedure.n_zeta} paired "
                "samples are drawn"]  # fmt: skip
    elif c.n + c.n0 + logged.n_zeta > c.drawn:
        return [f"drawn {c.drawn} is less than n, n0 and n_zeta together"]
    else:
        expected = procedure.transfer_of(c.predict, c.radius, logged.losses)
    return [
        f"{name} {fields[name]} where radius {c.radius} and {logged.losses} losses give {value}"
        for name, value in zip(TRANSFER_COLUMNS, expected.fields(), strict=True)
        if fields[name] != str(value)
    ]


def audit_log(
    log: Path,
    source: ImageSource,
    open_backend_of: Callable[[], Backend],
    procedure: Procedure,
    session: dict[str, Any],
    rows: int,
    seed: int,
) -> AuditReport:
    """Recompute every row's claims, and certify `rows` randomly chosen images again.

    Where runtime and processor are those of one of the log's sessions, the repeated rows must be
    equal in every column but the time; elsewhere counts may differ by FOREIGN_TOLERANCE of n.
    `session` describes this machine and backend as a run's session does. An image whose digits
    were edited consistently is found only if it is among the repeated rows: with r of N rows
    repeated, k such images all escape with probability about (1 - r / N)^k.
    Raises InputError where source or manifest are not the log's.
    """
    manifest = read_manifest(log)
    run = manifest["run"]
    logged_source = run.get("source")
    if logged_source != source.describe():
        raise InputError(
            f"the source is not the log's: digest {source.describe()['digest'][:16]}... against "
            f"{str((logged_source or {}).get('digest'))[:16]}... in the manifest"
        )
    columns = columns_of(run)
    certificates = parse_certificates(log, columns)
    lines = read_rows(log, log.read_text(encoding="utf-8"), columns)
    findings = []
    for certificate in certificates:
        findings += check_arithmetic(certificate, lines[certificate.idx], procedure)
        if certificate.idx >= len(source):
            raise InputError(f"image {certificate.idx} is not in the source of {len(source)}")
        if certificate.label != source.label(certificate.idx):
            findings.append(
                f"image {certificate.idx}: label {certificate.label} where the source says "
                f"{source.label(certificate.idx)}"
            )
    if manifest.get("status") == "complete":
        findings += _missing_rows(run, len(source), set(lines))
    exact = any(_same_engine(session, past) for past in manifest.get("sessions", []))
    chosen = random.Random(seed).sample(certificates, min(rows, len(certificates)))
    by_index = {certificate.idx: certificate for certificate in chosen}
    images = decoded_ahead(source, sorted(by_index))
    for outcome in Scheduler(open_backend_of(), procedure).run(images):
        findings += _compare(by_index[outcome.index], outcome, exact)
    return AuditReport(len(certificates), len(chosen), exact, findings)


def _missing_rows(run: dict[str, Any], images: int, present: set[int]) -> list[str]:
    expected = set(Selection.of_description(run["selection"]).indices(images))
    if expected == present:
        return []
    return [
        f"{len(expected - present)} selected images have no row, and {len(present - expected)} "
        "rows are of images that were not selected"
    ]


def _same_engine(session: dict[str, Any], past: dict[str, Any]) -> bool:
    def engine(described: dict[str, Any]) -> tuple[Any, ...]:
        backend = described.get("backend") or {}
        reference = backend.get("reference") or {}
        where: tuple[Any, ...] = (described.get("processor"),)
        if "compute_capability" in backend:  # of a GPU, whose kernels depend on the batch too
            where = (backend.get("device"), backend.get("batch"))
        return (
            *where,
            backend.get("runtime"),
            backend.get("precision"),
            reference.get("runtime"),
            reference.get("precision"),
        )

    return engine(session) == engine(past)


def _compare(logged: Certificate, outcome: Outcome, exact: bool) -> list[str]:
    again = outcome.decision
    old = (logged.predict, f"{logged.radius:.6f}", logged.count, logged.n, logged.n0, logged.drawn)
    new = (again.predict, f"{again.radius:.6f}", again.count, again.n, again.n0, again.drawn)
    if old == new:
        return _compare_transfer(logged, outcome, exact)
    close = abs(logged.count - again.count) <= max(3, math.ceil(FOREIGN_TOLERANCE * logged.n))
    # An adaptive procedure may stop at another look for one vote: then only the class compares.
    if not exact and logged.predict == again.predict and (close or logged.n != again.n):
        return _compare_transfer(logged, outcome, exact)
    return [
        f"image {logged.idx}: predict, radius, count, n, n0, drawn are {old} in the log and {new} "
        "when certified again"
    ]


def _compare_transfer(logged: Certificate, outcome: Outcome, exact: bool) -> list[str]:
    again = outcome.decision
    if logged.transfer is None or not isinstance(again, TransferDecision):
        return []
    old, new = logged.transfer, again.transfer
    allowed = 0 if exact else max(3, math.ceil(FOREIGN_TOLERANCE * old.n_zeta))
    if abs(old.losses - new.losses) <= allowed and (not exact or old.fields() == new.fields()):
        return []
    return [
        f"image {logged.idx}: {old.losses} losses of {old.n_zeta} in the log and {new.losses} "
        "when compared again"
    ]
