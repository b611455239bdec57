"""From a printed radius back to the counts it can come from.

The original code prints radii to three significant digits. Which counts print to a given radius
tells whether a log was made with the alpha it claims, and recovers its counts nearly exactly.
"""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special


@dataclass(frozen=True)
class CountRange:
    """Counts first .. last (both included) print to the radius; empty where last < first."""

    first: int
    last: int

    def __len__(self) -> int:
        """The number of counts."""
        return max(0, self.last - self.first + 1)


def radius_table(n: int, alpha: float, sigma: float) -> npt.NDArray[np.float64]:
    """The radius sigma * Phi^-1(p_lower) of every count 0 .. n: float64 [n + 1], ascending.

    p_lower is the one-sided Clopper-Pearson bound at level alpha; 0.0 where it is <= 1/2. This is
    the number that the original code prints: unlike bounds.certified_radius it is neither widened
    nor rounded down, either of which moves some counts to the neighbouring print.
    """
    count = np.arange(1, n, dtype=np.float64)
    q = np.empty(n + 1)
    q[0] = 1.0
    q[1:n] = special.betainccinv(n - count + 1.0, count, alpha)
    q[n] = -math.expm1(math.log(alpha) / n)
    return np.asarray(sigma * (0.0 - special.ndtri(np.minimum(q, 0.5))))


def counts_of_print(printed: float, table: npt.NDArray[np.float64], digits: int = 3) -> CountRange:
    """Exactly the counts whose radius prints as `printed` with so many significant digits.

    table is radius_table of the log's n, alpha and sigma. Empty where no count does.
    """

    # Comparing prints, not intervals: half a step is ten times finer just below a power of ten.
    def as_printed(radius: float) -> float:
        return float(f"{radius:.{digits}g}")

    first = bisect_left(table, printed, key=as_printed)
    last = bisect_right(table, printed, lo=first, key=as_printed) - 1
    return CountRange(first, last)
