"""The path of any procedure, and that of a transfer, which goes on where another has ended."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.paths.base import Path, Seen
from smoothcert.engine.statistics.paths.fixed import FixedPath, PredictPath
from smoothcert.engine.statistics.paths.radius_path import RadiusPath
from smoothcert.engine.statistics.paths.table_path import TablePath
from smoothcert.engine.statistics.procedures import (
    Decision,
    FixedCertify,
    Predict,
    Procedure,
    SampleRange,
)
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.transfer import TransferCertify

PATHS: dict[type, Callable[[Any], Path]] = {
    FixedCertify: FixedPath,
    Predict: PredictPath,
    RadiusCertify: RadiusPath,
    TableCertify: TablePath,
}
"""By the procedure; every one of recorded.PROCEDURES has its paths."""


def path_of(procedure: Procedure) -> Path:
    """The paths of a procedure's trials."""
    if isinstance(procedure, TransferCertify):
        return TransferPath(procedure, path_of(procedure.fast))
    return PATHS[type(procedure)](procedure)


@dataclass(frozen=True)
class TransferPath:
    """Of TransferCertify, around those of the fast model's procedure."""

    procedure: TransferCertify
    fast: Path

    def ranges(self, claim: Decision) -> list[SampleRange]:
        """See Path.ranges."""
        found = self.fast.ranges(self._first_half(claim))
        if claim.predict != ABSTAIN:
            found.append(SampleRange(Purpose.DISAGREEMENT, 0, self.procedure.n_zeta))
        return found

    def objection(self, claim: Decision, label: int, seen: Seen) -> str | None:
        """See Path.objection."""
        found = self.fast.objection(self._first_half(claim), label, seen)
        if found or claim.predict == ABSTAIN:
            return found
        if claim.transfer is None:
            raise InputError("has no losses: expected those of a transfer")
        low, high = seen.losses(self.procedure.n_zeta, claim.predict)
        if low <= claim.transfer.losses <= high:
            return None
        return f"{claim.transfer.losses} losses are not those of class {claim.predict}"

    def _first_half(self, claim: Decision) -> Decision:
        paired = 0 if claim.predict == ABSTAIN else self.procedure.n_zeta
        return replace(claim, drawn=claim.drawn - paired, transfer=None)
