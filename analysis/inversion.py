"""From a printed radius back to the counts it can come from.

The original code prints radii to three significant digits. Which counts print to a given radius
tells whether a log was made with the alpha it claims, and recovers its counts nearly exactly.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.engine.bounds import certified_radius


@dataclass(frozen=True)
class CountRange:
    """Counts first .. last (both included) print to the radius; empty where last < first."""

    first: int
    last: int

    def __len__(self) -> int:
        """The number of counts."""
        return max(0, self.last - self.first + 1)


def radius_table(n: int, alpha: float, sigma: float) -> npt.NDArray[np.float64]:
    """The radius of every count 0 .. n: float64 [n + 1], ascending."""
    return np.asarray(certified_radius(np.arange(n + 1), n, alpha, sigma))


def counts_of_print(printed: float, table: npt.NDArray[np.float64], digits: int = 3) -> CountRange:
    """The counts whose radius prints as `printed` with so many significant digits.

    table is radius_table of the log's n, alpha and sigma.
    """
    half_step = 0.5 * 10.0 ** (math.floor(math.log10(printed)) + 1 - digits)
    # Rounding to nearest keeps at most half a step; the table itself is rounded down by 1e-6.
    slack = 1.1e-6
    first = int(np.searchsorted(table, printed - half_step - slack, side="left"))
    last = int(np.searchsorted(table, printed + half_step, side="right")) - 1
    return CountRange(first, last)
