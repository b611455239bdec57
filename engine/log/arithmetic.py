"""A row's own numbers: what its counts imply of the other columns, and whether a trial ends so."""

from collections.abc import Mapping
from dataclasses import replace

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.wording import shown
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.paths.base import Seen
from smoothcert.engine.statistics.paths.following import path_of
from smoothcert.engine.statistics.procedures import Decision, Procedure
from smoothcert.engine.statistics.transfer import NO_TRANSFER, TransferCertify


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
    if claim.runner_up is not None:
        evidence += f" against {claim.runner_up}"
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
    if claim.runner_up is not None and claim.count + claim.runner_up > claim.n:
        return (
            f"count {shown(claim.count)} and runner_up {shown(claim.runner_up)} are more than the "
            f"n {shown(claim.n)}"
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
    votes = claim.count, claim.n, claim.runner_up
    radius = procedure.radius_of(*votes)
    if not procedure.certifies(*votes):
        raise InputError(
            f"names class {claim.predict}, which {claim.count} of {claim.n} do not certify"
        )
    if transfer is not None and isinstance(procedure, TransferCertify):
        transfer = procedure.transfer_of(claim.predict, radius, transfer.losses)
    return replace(claim, radius=radius, transfer=transfer)
