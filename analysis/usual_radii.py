"""The radii of a table where nobody names any."""

from collections.abc import Sequence

from smoothcert.analysis.log import Log
from smoothcert.analysis.table import check_radii
from smoothcert.engine.base.errors import InputError

MOST = 9
"""Radii, but for those of table mode, which all are shown."""

_STEP = 0.25
"""Where no log tells its sigma."""


def usual_radii(logs: Sequence[Log]) -> list[float]:
    """What a table of these logs shows, ascending from 0, at least one.

    Where logs are of table mode: the radii that all of those decide. Else multiples of half the
    smallest sigma (of 0.25, where none is known) up to the largest certified radius; the step
    doubles until they are MOST. Raises InputError where no radius is decided by all.
    """
    decided = [set(log.table_radii) for log in logs if log.table_radii is not None]
    if decided:
        common = set.intersection(*decided)
        if not common:
            raise InputError(
                "these logs are of table mode and decide no radius in common: expected logs of the "
                "same --radii; run once for each"
            )
        return check_radii(sorted(common))
    largest = max(float(log.radius.max()) for log in logs)
    sigmas = [log.sigma for log in logs if log.sigma]
    step = float(f"{min(sigmas) / 2:.3g}") if sigmas else _STEP
    while largest / step >= MOST:
        step *= 2
    # As they are typed: 3 * 0.1 is no 0.3.
    return [float(f"{step * i:.12g}") for i in range(int(largest / step) + 1)]
