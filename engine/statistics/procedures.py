"""Certification procedures: pure statistics that ask for samples and absorb class counts.

A procedure knows no device, no file and no clock. `trial` is a generator: it yields the range of
sample indices that its next decision depends on, is sent the class counts of exactly those
samples, and returns a Decision. Because a range is fixed before its counts are known, a decision
depends on index prefixes only: never on batch sizes, on the order of work, or on over-drawn
samples.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import SAMPLES
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import (
    ABSTAIN,
    LEAST_ALPHA,
    check_alpha,
    check_sigma,
    check_total_variation,
    covered_squared_distance,
    smallest_useful_n,
    top_two_differ,
)
from smoothcert.engine.statistics.class_bounds import ClassBound, OneSided, class_bound

Counts: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SampleRange:
    """Samples first .. first + count - 1 of a purpose's stream."""

    purpose: Purpose
    first: int
    count: int


@dataclass(frozen=True)
class Transfer:
    """What is known of the reference model, where a certificate is transferred (transfer.py).

    predict  the class certified for the reference, or ABSTAIN
    radius   its certified L2 radius
    losses   of n_zeta paired samples: the model voted for the class, the reference did not
    zeta     upper bound on the probability of that, a multiple of 1e-9
    """

    predict: int
    radius: float
    losses: int
    n_zeta: int
    zeta: float

    @property
    def covers(self) -> int:
        """See Decision.covers."""
        return _covers(self.predict, self.radius)


@dataclass(frozen=True)
class Decision:
    """What is known of one image when its trial ends.

    predict  the class, or ABSTAIN
    radius   certified L2 radius in [0, 1]-pixel units, 0.0 on abstention
    count    votes of the class under test among the first n estimation samples
    n        estimation samples the result rests on: where a sequential procedure goes on after
             certifying `radius`, the look at which it did
    n0       selection (or pilot) samples used
    drawn    samples used altogether, whatever for: at least n + n0
    transfer what it says of a reference model, where it was asked
    runner_up  votes of the largest other class among the n, where the bound is two-class
    undecided  radii asked for that are neither certified nor given up, where there is a budget

    A result can be checked from its procedure and these counts alone: see Procedure.radius_of.
    """

    predict: int
    radius: float
    count: int
    n: int
    n0: int
    drawn: int
    transfer: Transfer | None = None
    runner_up: int | None = None
    undecided: int | None = None

    @property
    def covers(self) -> int:
        """The integer claim: every 8-bit image whose squared pixel differences sum to at most this
        is classified the same; 0 on abstention."""
        return _covers(self.predict, self.radius)


def _covers(predict: int, radius: float) -> int:
    return 0 if predict == ABSTAIN else covered_squared_distance(radius)


Trial: TypeAlias = Generator[SampleRange, Counts, Decision]


class Trials(Protocol):
    """What images are put through."""

    def trial(self, label: int | None = None) -> Trial:
        """A fresh state machine for one image; only label-aware procedures heed its label."""
        ...


class Procedure(Trials, Protocol):
    """A statistical procedure, run once per image."""

    @property
    def max_samples(self) -> int:
        """The most samples one image can take (for progress)."""
        ...

    def describe(self) -> dict[str, Any]:
        """The name and every number that decides the outcome, for the manifest: what the
        procedure's `of_description` makes it of again (recorded.py)."""
        ...

    def certifies(self, count: int, n: int, runner_up: int | None = None) -> bool:
        """Whether a Decision with these counts may name a class (False: it must abstain)."""
        ...

    def radius_of(self, count: int, n: int, runner_up: int | None = None) -> float:
        """The radius of a Decision that names a class, from its counts alone.

        Raises InputError where the procedure never decides at n.
        """
        ...


def check_samples(name: str, n: int, least: int, reason: str = "") -> None:
    """Raise InputError unless n is a whole number and least <= n <= 10^9; `reason` completes
    "is too small"."""
    SAMPLES.check(n, name)
    if n < least:
        raise InputError(f"{name} {n} is too small{reason}: expected at least {least}")


@dataclass(frozen=True)
class FixedCertify:
    """CERTIFY of Cohen, Rosenfeld, Kolter 2019: n0 samples select a class, n fresh ones bound it.

    With probability at least 1 - alpha over the noise, a returned class is the smoothed
    classifier's prediction everywhere within the returned radius (or the result is ABSTAIN).

    total_variation  of the sampler over one image, taken off the bound (noise/lattice.py)
    bound            "one-sided", the paper's, or "two-class": see class_bounds.py
    Raises InputError for sigma, n0, n, alpha out of range, and for an n that can never certify.
    """

    NAME: ClassVar = "certify"

    sigma: float
    n0: int = 100
    n: int = 100_000
    alpha: float = 0.001
    total_variation: float = 0.0
    bound: str = "one-sided"

    def __post_init__(self) -> None:
        """Refuse what cannot certify."""
        check_sigma(self.sigma)
        least = smallest_useful_n(self.class_bound.alpha_top)
        check_samples("n0", self.n0, 1)
        check_samples("n", self.n, least, f" ever to certify at alpha {self.alpha}")

    @cached_property
    def class_bound(self) -> ClassBound:
        """What the votes of the selected class prove."""
        return class_bound(self.bound, self.alpha, self.total_variation)

    @property
    def max_samples(self) -> int:
        """n0 + n."""
        return self.n0 + self.n

    def trial(self, label: int | None = None) -> Trial:
        """Selection, then estimation of the selected class."""
        selection = yield SampleRange(Purpose.SELECTION, 0, self.n0)
        top = int(np.argmax(selection))
        estimation = yield SampleRange(Purpose.ESTIMATION, 0, self.n)
        count, runner_up = int(estimation[top]), self.class_bound.runner_up(estimation, top)
        predict = top if self.certifies(count, self.n, runner_up) else ABSTAIN
        radius = self.radius_of(count, self.n, runner_up)
        drawn = self.n0 + self.n
        return Decision(predict, radius, count, self.n, self.n0, drawn, runner_up=runner_up)

    def certifies(self, count: int, n: int, runner_up: int | None = None) -> bool:
        """See Procedure.certifies."""
        return self.class_bound.certifies(count, n, runner_up)

    def radius_of(self, count: int, n: int, runner_up: int | None = None) -> float:
        """See Procedure.radius_of."""
        if n != self.n:
            raise InputError(f"n {n} is not {self.n}, where CERTIFY decides")
        return self.class_bound.radius(count, n, runner_up, self.sigma)

    def describe(self) -> dict[str, Any]:
        """See Procedure.describe."""
        settings = {"n0": self.n0, "n": self.n, "alpha": self.alpha}
        return {"procedure": self.NAME, **settings, **self.class_bound.describe()}

    @classmethod
    def of_description(cls, run: Mapping[str, Any]) -> "FixedCertify":
        """The inverse of `describe`, out of a manifest's run; KeyError where a part is missing."""
        return cls(
            run["sigma"],
            run["n0"],
            run["n"],
            run["alpha"],
            run["total_variation"],
            run.get("bound", OneSided.NAME),
        )


@dataclass(frozen=True)
class Predict:
    """PREDICT of Cohen, Rosenfeld, Kolter 2019: a two-sided test of the two largest counts.

    With probability at least 1 - alpha over the noise, a returned class is the smoothed
    classifier's prediction at x (or the result is ABSTAIN). The n samples together are within
    n * total_variation of the ideal noise, which is taken off alpha.
    Raises InputError for n or alpha out of range, and for an n that must always abstain.
    """

    NAME: ClassVar = "predict"

    n: int = 1000
    alpha: float = 0.001
    total_variation: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what can only abstain."""
        check_alpha(self.alpha)
        check_total_variation(self.total_variation)
        least = 1
        while not top_two_differ(least, 0, self.alpha):
            least += 1
        check_samples("n", self.n, least, f" ever to predict at alpha {self.alpha}")
        if self.level < LEAST_ALPHA:
            raise InputError(
                f"n {self.n} is too large to predict at alpha {self.alpha}: so many samples are "
                f"within {self.n * self.total_variation:.3g} of the ideal noise, which alpha must "
                f"exceed by at least {LEAST_ALPHA:g}; take a smaller n or a larger alpha"
            )

    @property
    def max_samples(self) -> int:
        """n."""
        return self.n

    @property
    def level(self) -> float:
        """What is left of alpha for the test itself."""
        return self.alpha - self.n * self.total_variation

    def trial(self, label: int | None = None) -> Trial:
        """All samples at once."""
        counts = yield SampleRange(Purpose.PREDICTION, 0, self.n)
        order = np.argsort(-counts, kind="stable")
        top = int(order[0])
        first = int(counts[top])
        second = int(counts[order[1]]) if len(order) > 1 else 0
        predict = top if top_two_differ(first, second, self.level) else ABSTAIN
        return Decision(predict, 0.0, first, self.n, 0, self.n)

    def certifies(self, count: int, n: int, runner_up: int | None = None) -> bool:
        """See Procedure.certifies: could pass the test, were no other class voted for."""
        return top_two_differ(count, 0, self.level)

    def radius_of(self, count: int, n: int, runner_up: int | None = None) -> float:
        """0.0: PREDICT speaks of x alone."""
        return 0.0

    def describe(self) -> dict[str, Any]:
        """See Procedure.describe."""
        return {"procedure": self.NAME, "n": self.n, "alpha": self.alpha}

    @classmethod
    def of_description(cls, run: Mapping[str, Any]) -> "Predict":
        """See FixedCertify.of_description."""
        return cls(run["n"], run["alpha"], run["total_variation"])
