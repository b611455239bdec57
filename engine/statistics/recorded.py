"""Procedures read back from manifests: what a log was made with, to audit it."""

from collections.abc import Mapping
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.statistics.procedures import FixedCertify, Predict, Procedure
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.transfer import TransferCertify

PROCEDURES = {
    procedure.NAME: procedure for procedure in (FixedCertify, Predict, TableCertify, RadiusCertify)
}
"""By the name that `describe` gives them."""


def recorded_procedure(run: Mapping[str, Any]) -> Procedure:
    """The procedure that a manifest's `run` describes, as this version decides: what its `describe`
    says may differ from the manifest.

    Raises InputError where it is none of this version's.
    """
    try:
        name = run["procedure"]
        if name not in PROCEDURES:
            raise InputError(f"procedure {name!r} is unknown: expected one of this version's")
        procedure: Procedure = PROCEDURES[name].of_description(run)
        if "n_zeta" in run:
            procedure = TransferCertify.of_description(run, procedure)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"the manifest's run does not describe a procedure ({error!r}): was it edited?"
        ) from None
    return procedure
