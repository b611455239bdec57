"""Auditing a log: every row against its own arithmetic, some rows against the network."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.log.rows import TRANSFER_COLUMNS, Certificate, columns_of, read_fields
from smoothcert.engine.run.execution import describe_session
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.procedures import Decision, Procedure
from smoothcert.engine.statistics.transfer import NO_TRANSFER, TransferCertify

FOREIGN_TOLERANCE = 0.002
"""On another processor or runtime, float rounding may turn a few votes: the share of a row's n
by which its count may differ there."""

_COMPARED = ("predict", "radius", "count", "n", "n0", "drawn")


@dataclass(frozen=True)
class AuditReport:
    """rows checked by arithmetic, rows certified again, and one line for everything wrong.

    exact  whether counts had to match bit for bit (the same runtime and processor)
    """

    rows: int
    repeated: int
    exact: bool
    findings: list[str]


def check_arithmetic(
    logged: Certificate, fields: Mapping[str, str], procedure: Procedure
) -> list[str]:
    """What is wrong with a row by its own numbers: every column that they imply otherwise."""
    claim = logged.decision
    problem = _contradiction(claim, procedure)
    if problem:
        return [f"image {logged.index}: {problem}"]
    try:
        implied = replace(logged, decision=_implied(claim, procedure)).fields()
    except InputError as error:
        return [f"image {logged.index}: {error}"]
    evidence = f"predict {claim.predict} with {claim.count} of {claim.n}"
    if claim.transfer is not None:
        evidence += f" and {claim.transfer.losses} losses"
    return [
        f"image {logged.index}: {name} {fields[name]} where {evidence} gives {value}"
        for name, value in implied.items()
        if name != "time" and fields[name] != value
    ]


def _contradiction(claim: Decision, procedure: Procedure) -> str | None:
    """Why a row's numbers cannot be those of a trial at all."""
    if not 0 <= claim.count <= claim.n or claim.n + claim.n0 > claim.drawn:
        return (
            f"count {claim.count}, n {claim.n}, n0 {claim.n0}, drawn {claim.drawn} contradict "
            "each other"
        )
    transfer = claim.transfer
    if claim.predict == ABSTAIN or transfer is None or not isinstance(procedure, TransferCertify):
        return None
    if transfer.n_zeta != procedure.n_zeta or not 0 <= transfer.losses <= transfer.n_zeta:
        return (
            f"losses {transfer.losses} of n_zeta {transfer.n_zeta} where {procedure.n_zeta} paired "
            "samples are drawn"
        )
    if claim.n + claim.n0 + transfer.n_zeta > claim.drawn:
        return f"drawn {claim.drawn} is less than n, n0 and n_zeta together"
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


def audit_log(
    log: Path,
    source: ImageSource,
    backend: Backend,
    procedure: Procedure,
    rows: int,
    seed: int,
    session: dict[str, Any] | None = None,
) -> AuditReport:
    """Recompute every row's claims, and certify `rows` randomly chosen images again.

    session  this machine and backend, as a run's session describes them; None: as they are
    Where runtime and processor are those of one of the log's sessions, the repeated rows must be
    equal in every column but the time; elsewhere, and where a session was tuned, counts may differ
    by FOREIGN_TOLERANCE of n.
    An image whose digits were edited consistently is found only if it is among the repeated rows:
    with r of N rows repeated, k such images all escape with probability about (1 - r / N)^k.
    Raises InputError where source or manifest are not the log's.
    """
    manifest = read_manifest(log)
    run = manifest["run"]
    _check_source(run, source)
    findings: list[str] = []
    certificates: dict[int, Certificate] = {}
    for index, fields in read_fields(log, columns_of(run)).items():
        try:
            logged = certificates[index] = Certificate.of_fields(fields)
        except ValueError as error:
            raise InputError(f"{log} image {index} does not parse: {error}") from None
        findings += check_arithmetic(logged, fields, procedure)
        if index >= len(source):
            raise InputError(f"image {index} is not in the source of {len(source)}")
        if logged.label != source.label(index):
            findings.append(
                f"image {index}: label {logged.label} where the source says {source.label(index)}"
            )
    if manifest.get("status") == "complete":
        findings += _missing_rows(run, len(source), set(certificates))
    session = session or describe_session(backend)
    exact = _is_exact(session, manifest.get("sessions", []))
    chosen = random.Random(seed).sample(list(certificates), min(rows, len(certificates)))
    images = decoded_ahead(source, sorted(chosen))
    for again in Scheduler(backend, procedure).run(images):
        findings += _compare(certificates[again.index], again, exact)
    return AuditReport(len(certificates), len(chosen), exact, findings)


def _check_source(run: Mapping[str, Any], source: ImageSource) -> None:
    logged = run.get("source")
    if logged != source.describe():
        raise InputError(
            f"the source is not the log's: digest {source.describe()['digest'][:16]}... against "
            f"{str((logged or {}).get('digest'))[:16]}... in the manifest"
        )


def _missing_rows(run: dict[str, Any], images: int, present: set[int]) -> list[str]:
    expected = set(Selection.of_description(run["selection"]).indices(images))
    if expected == present:
        return []
    return [
        f"{len(expected - present)} selected images have no row, and {len(present - expected)} "
        "rows are of images that were not selected"
    ]


def _is_exact(session: dict[str, Any], past: list[dict[str, Any]]) -> bool:
    """Whether rows must be equal: not where kernels were measured, which differ from process to
    process."""
    if any((each.get("backend") or {}).get("tuned") for each in past):
        return False
    return any(_same_engine(session, each) for each in past)


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


def _compare(logged: Certificate, again: Certificate, exact: bool) -> list[str]:
    old, new = logged.decision, again.decision
    before, after = (_texts(row, _COMPARED) for row in (logged, again))
    close = abs(old.count - new.count) <= _tolerated(old.n)
    # An adaptive procedure may stop at another look for one vote: then only the class compares.
    alike = not exact and old.predict == new.predict and (close or old.n != new.n)
    if before != after and not alike:
        return [
            f"image {logged.index}: {', '.join(_COMPARED)} are ({', '.join(before)}) in the log "
            f"and ({', '.join(after)}) when certified again"
        ]
    if old.transfer is None or new.transfer is None:
        return []
    if exact:
        same = _texts(logged, TRANSFER_COLUMNS) == _texts(again, TRANSFER_COLUMNS)
    else:
        turned = abs(old.transfer.losses - new.transfer.losses)
        same = turned <= _tolerated(old.transfer.n_zeta)
    if same:
        return []
    return [
        f"image {logged.index}: {old.transfer.losses} losses of {old.transfer.n_zeta} in the log "
        f"and {new.transfer.losses} when compared again"
    ]


def _texts(row: Certificate, names: tuple[str, ...]) -> list[str]:
    fields = row.fields()
    return [fields[name] for name in names]


def _tolerated(n: int) -> int:
    """The votes of n by which another machine may differ."""
    return max(3, math.ceil(FOREIGN_TOLERANCE * n))
