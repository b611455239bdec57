"""What the votes for a class, fixed before they were drawn, prove: from p alone, or with the
runner-up's bound.

Let A be the class, p_c the probability of a vote for c, B the class of largest p_c among the
others: unknown, but one fixed class. After n votes, n_c of them for c:

One-sided (Cohen, Rosenfeld, Kolter 2019): with L the lower Clopper-Pearson bound of n_A at level
alpha, every other class has p_c <= 1 - p_A <= 1 - L. The radius is sigma * Phi^-1(L), where
L > 1/2.

Two-class: alpha = alpha_1 + alpha_2. L is the lower bound of n_A at alpha_1; U(k) the upper one of
k votes at alpha_2, which increases with k; M the largest n_c among the others.

*Theorem.* With probability at least 1 - alpha, p_A >= L and p_c <= U' for every c other than A,
where U' = min(U(M), 1 - L). So where L > U', A is the smoothed classifier's class everywhere within

    sigma / 2 * (Phi^-1(L) - Phi^-1(U')),   which is at least sigma * Phi^-1(L).

*Proof.* P[p_A < L] <= alpha_1. M >= n_B whatever the counts are, so U(M) >= U(n_B), and
P[p_B > U(M)] <= P[p_B > U(n_B)] <= alpha_2: B is one class, and no union over classes is paid for.
Outside of both events p_c <= p_B <= U(M) and p_c <= 1 - p_A <= 1 - L. The radius is that of Cohen,
Rosenfeld, Kolter 2019, theorem 1, with p_A bounded by L and all others by U'. As U' <= 1 - L,
-Phi^-1(U') >= Phi^-1(L). QED. (Voracek 2024, appendix B, remarks that no union is needed.)

L may be 1/2 or less: A then leads without a majority, and the one-sided bound abstains.

The sampler's total variation tau moves each class's probability by at most tau from that of the
ideal law, which the radius is about: L - tau and U(M) + tau bound the ideal ones, with no change of
the probability 1 - alpha, which is over the votes as they are drawn.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown
from smoothcert.engine.statistics.bounds import (
    LEAST_ALPHA,
    certified_radius,
    check_alpha,
    check_sigma,
    check_total_variation,
    failure_bound,
    is_majority,
    round_down,
)

RUNNER_UP_SHARE = 0.1
"""alpha_2 / alpha, chosen by measurement (benchmarks/results/two_class.md): a larger part for the
runner-up takes more from L than its own bound gains."""


class ClassBound(Protocol):
    """What the votes of a class prove; see the module."""

    def runner_up(self, counts: npt.NDArray[np.int64], top: int) -> int | None:
        """The votes of the largest other class; None where they prove nothing more."""
        ...

    def certifies(self, count: int, n: int, runner_up: int | None) -> bool:
        """Whether the class is proved to be the smoothed classifier's at the image itself."""
        ...

    def radius(self, count: int, n: int, runner_up: int | None, sigma: float) -> float:
        """The certified L2 radius, rounded down to a multiple of 1e-6; 0.0 where none is."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the manifest says of it."""
        ...

    @property
    def alpha_top(self) -> float:
        """The failure probability of L: what n votes for one class must be enough for."""
        ...


@dataclass(frozen=True)
class OneSided:
    """sigma * Phi^-1(L), at level alpha."""

    NAME: ClassVar = "one-sided"

    alpha: float
    total_variation: float = 0.0

    @property
    def alpha_top(self) -> float:
        """See ClassBound."""
        return self.alpha

    def runner_up(self, counts: npt.NDArray[np.int64], top: int) -> None:
        """See ClassBound."""
        return

    def certifies(self, count: int, n: int, runner_up: int | None) -> bool:
        """See ClassBound."""
        return is_majority(count, n, self.alpha, total_variation=self.total_variation)

    def radius(self, count: int, n: int, runner_up: int | None, sigma: float) -> float:
        """See ClassBound."""
        return certified_radius(count, n, self.alpha, sigma, total_variation=self.total_variation)

    def describe(self) -> dict[str, Any]:
        """See ClassBound: nothing, as in logs from before there was a choice."""
        return {}


@dataclass(frozen=True)
class TwoClass:
    """sigma / 2 * (Phi^-1(L) - Phi^-1(U')), at level alpha = alpha_top + alpha_runner_up.

    Raises InputError for an alpha of which RUNNER_UP_SHARE is less than any bound may have.
    """

    NAME: ClassVar = "two-class"

    alpha: float
    total_variation: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an alpha that cannot be split."""
        if self.alpha_runner_up < LEAST_ALPHA:
            raise InputError(
                f"alpha {self.alpha} leaves {self.alpha_runner_up:g} to the runner-up's bound: "
                f"expected at least {LEAST_ALPHA:g}; take a larger alpha, or bound one-sided"
            )

    @property
    def alpha_runner_up(self) -> float:
        """alpha_2."""
        return self.alpha * RUNNER_UP_SHARE

    @property
    def alpha_top(self) -> float:
        """alpha_1."""
        return self.alpha - self.alpha_runner_up

    def runner_up(self, counts: npt.NDArray[np.int64], top: int) -> int:
        """See ClassBound."""
        others = np.delete(counts, top)
        return int(others.max(initial=0))

    def certifies(self, count: int, n: int, runner_up: int | None) -> bool:
        """See ClassBound."""
        not_top, other = self._tails(count, n, runner_up)
        return bool(not_top + other < 1.0)

    def radius(self, count: int, n: int, runner_up: int | None, sigma: float) -> float:
        """See ClassBound."""
        tails = self._tails(count, n, runner_up)
        return float(two_tails_radius(*tails, check_sigma(sigma)))

    def _tails(
        self, count: int, n: int, runner_up: int | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        if runner_up is None:
            raise InputError("no votes of the runner-up: expected those of the largest other class")
        return two_tails(
            count, runner_up, n, self.alpha_top, self.alpha_runner_up,
            total_variation=self.total_variation,
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """See ClassBound."""
        return {"bound": self.NAME, "alpha_runner_up": self.alpha_runner_up}


BOUNDS = {bound.NAME: bound for bound in (OneSided, TwoClass)}


def check_bound(name: str) -> str:
    """Return the name; raises InputError unless it is one of BOUNDS."""
    if name not in BOUNDS:
        raise InputError(f"bound {shown(name)} is unknown: expected {' or '.join(BOUNDS)}")
    return name


def class_bound(name: str, alpha: float, total_variation: float) -> ClassBound:
    """The bound of this name; raises InputError for another, and for numbers out of range."""
    make: type[OneSided] | type[TwoClass] = BOUNDS[check_bound(name)]
    return make(check_alpha(alpha), check_total_variation(total_variation))


def two_tails(
    count: npt.ArrayLike,
    runner_up: npt.ArrayLike,
    n: npt.ArrayLike,
    alpha_top: float,
    alpha_runner_up: float,
    *,
    total_variation: float = 0.0,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Upper bounds on 1 - p_A and on every other class's probability: 1 - L and U', float64.

    Of n votes, `count` for A and `runner_up` for the largest other class; arrays are broadcast.
    With probability at least 1 - (alpha_top + alpha_runner_up) both hold, A being fixed before the
    votes. Both are widened as failure_bound's are. Raises InputError as failure_bound does.
    """
    not_top = failure_bound(count, n, alpha_top) + total_variation
    others = np.asarray(n) - np.asarray(runner_up)
    other = failure_bound(others, n, alpha_runner_up) + total_variation
    not_top = np.minimum(not_top, 1.0)
    return not_top, np.minimum(other, not_top)


def two_tails_radius(
    not_top: npt.ArrayLike, other: npt.ArrayLike, sigma: float
) -> npt.NDArray[Any]:
    """sigma / 2 * (Phi^-1(1 - not_top) - Phi^-1(other)), rounded down to a multiple of 1e-6; 0.0
    where not_top + other >= 1. float64."""
    first, second = np.asarray(not_top, np.float64), np.asarray(other, np.float64)
    leads = first + second < 1.0
    # Where it does not lead, values that give no infinities.
    z = -(special.ndtri(np.where(leads, first, 0.5)) + special.ndtri(np.where(leads, second, 0.5)))
    return np.where(leads, np.maximum(round_down(sigma * z / 2), 0.0), 0.0)
