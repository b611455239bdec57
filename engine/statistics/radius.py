"""Radius mode: the full radius of every image, for as many samples as it is worth."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
from scipy import special

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import PILOT_SAMPLES, SAMPLES_PRICE, TOLERANCE
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN, check_sigma, smallest_useful_n
from smoothcert.engine.statistics.class_bounds import ClassBound, OneSided, TwoClass, class_bound
from smoothcert.engine.statistics.procedures import Decision, SampleRange, Trial, check_samples
from smoothcert.engine.statistics.sample_plan import SamplePlan, sample_sizes
from smoothcert.engine.statistics.sequential import even_odds, futile_counts
from smoothcert.engine.statistics.two_class_plan import TwoClassPlan

# Fractions of the planned samples after which a hopeless majority is given up, and how rarely a
# class is given up that would prove it with probability 1/2.
_CHECKS = (16, 4)
_BETA = 0.005
# Parts of the votes that the class did not get, of which a digest tells plans apart.
_RUNNERS_UP = (1, 2, 10)


@dataclass(frozen=True)
class RadiusCertify:
    """A pilot selects a class and plans n; n fresh samples bound it, as CERTIFY does.

    With probability at least 1 - alpha over the noise, a returned class is the smoothed
    classifier's prediction everywhere within the returned radius (or the result is ABSTAIN): given
    the pilot, class and n are fixed, and the Clopper-Pearson bound of the fresh samples (another
    stream) holds for them. Giving up early certifies nothing, so it costs no alpha.

    n              the most fresh samples of an image; may well be above 100,000
    tolerance      spend the fewest samples that are expected to certify 1 - tolerance of the
                   radius that n samples would, or
    samples_price  spend samples while the expected radius / sigma grows by more than this per
                   100,000: exactly one of the two
    pilot          samples that select the class and plan
    label_aware    abstain after the pilot where its class is not the image's label
    total_variation  of the sampler over one image (noise/lattice.py), taken off the bound
    bound          "one-sided", or "two-class": see class_bounds.py

    Raises InputError for settings out of range, and for an n that can never certify.
    """

    NAME: ClassVar = "radius"

    sigma: float
    n: int = 100_000
    alpha: float = 0.001
    tolerance: float | None = None
    samples_price: float | None = None
    pilot: int = 500
    label_aware: bool = False
    total_variation: float = 0.0
    bound: str = OneSided.NAME

    def __post_init__(self) -> None:
        """Refuse what cannot certify."""
        check_sigma(self.sigma)
        least = smallest_useful_n(self.class_bound.alpha_top)
        check_samples("n", self.n, least, f" ever to certify at alpha {self.alpha}")
        PILOT_SAMPLES.check(self.pilot, "pilot")
        if (self.tolerance is None) == (self.samples_price is None):
            raise InputError(
                f"tolerance {self.tolerance} and samples price {self.samples_price}: expected "
                "exactly one of them"
            )
        if self.tolerance is not None:
            TOLERANCE.check(self.tolerance)
        if self.samples_price is not None:
            SAMPLES_PRICE.check(self.samples_price)

    @cached_property
    def class_bound(self) -> ClassBound:
        """What the fresh votes of the pilot's class prove."""
        return class_bound(self.bound, self.alpha, self.total_variation)

    @property
    def max_samples(self) -> int:
        """pilot + n."""
        return self.pilot + self.n

    @cached_property
    def plan(self) -> SamplePlan:
        """What the pilot's votes are worth."""
        sizes, bound = sample_sizes(self.n), self.class_bound
        if isinstance(bound, TwoClass):
            return TwoClassPlan(sizes, bound.alpha_top, bound.alpha_runner_up)
        return SamplePlan(sizes, self.alpha)

    def planned(self, votes: int, runner_up: int | None = None) -> int:
        """The fresh samples planned after `votes` for the pilot's class, and with a two-class bound
        `runner_up` for the largest other; 0 to abstain at once."""
        key = (votes, runner_up or 0)
        if key not in self._planned:
            if self.tolerance is not None:
                size = self.plan.within_tolerance(*key, self.pilot, self.tolerance)
            else:
                assert self.samples_price is not None
                size = self.plan.worth_its_price(*key, self.pilot, self.samples_price)
            self._planned[key] = size
        return self._planned[key]

    @cached_property
    def _planned(self) -> dict[tuple[int, int], int]:
        return {}

    def looks(self, size: int) -> list[int]:
        """Where trials of this size may end, the last at the size."""
        return [*(size // part for part in _CHECKS if size // part >= 1), size]

    def gives_up(self, size: int, look: int, count: int, runner_up: int | None) -> bool:
        """Whether a trial of this size abstains at a look: few votes, or at the size no proof.

        With fewer votes, and with more for the runner-up, it does all the more.
        """
        if runner_up is None:
            return count <= self._few[size, look]
        if look == size:
            return not self.certifies(count, size, runner_up)
        # Of the two classes' votes, how rarely are so few for the one that leads?
        return runner_up > 0 and bool(special.betainc(runner_up, count + 1.0, 0.5) < _BETA)

    @cached_property
    def checks(self) -> dict[int, list[tuple[int, int]]]:
        """For every size, of a one-sided bound: looks, the last at the size, and the votes that are
        too few there."""
        return {size: self._checks_of(size) for size in self.plan.sizes}

    @cached_property
    def _few(self) -> dict[tuple[int, int], int]:
        return {(size, look): few for size, on in self.checks.items() for look, few in on}

    def _checks_of(self, size: int) -> list[tuple[int, int]]:
        counts = range(size // 2, size + 1)
        majority = counts[bisect_left(counts, True, key=partial(self.certifies, n=size))]
        *looks, _ = self.looks(size)
        few = futile_counts(looks, even_odds([majority], size), _BETA)[:, 0].tolist()
        return [*zip(looks, few, strict=True), (size, majority - 1)]

    def trial(self, label: int | None = None) -> Trial:
        """Pilot and plan, then fresh samples, with two chances to give up."""
        if self.label_aware and label is None:
            raise InputError("a label-aware procedure needs each image's label")
        pilot = yield SampleRange(Purpose.PILOT, 0, self.pilot)
        top, bound = int(np.argmax(pilot)), self.class_bound
        size = self.planned(int(pilot[top]), bound.runner_up(pilot, top))
        counts = np.zeros_like(pilot)
        count, runner_up, drawn = 0, bound.runner_up(counts, top), 0
        predict, radius = ABSTAIN, 0.0
        if size and not (self.label_aware and top != label):
            for look in self.looks(size):
                counts += yield SampleRange(Purpose.ESTIMATION, drawn, look - drawn)
                count, runner_up, drawn = int(counts[top]), bound.runner_up(counts, top), look
                if self.gives_up(size, look, count, runner_up):
                    break
            else:
                predict, radius = top, self.radius_of(count, size, runner_up)
        spent = self.pilot + drawn
        return Decision(predict, radius, count, drawn, self.pilot, spent, runner_up=runner_up)

    def certifies(self, count: int, n: int, runner_up: int | None = None) -> bool:
        """See Procedure.certifies."""
        return self.class_bound.certifies(count, n, runner_up)

    def radius_of(self, count: int, n: int, runner_up: int | None = None) -> float:
        """See Procedure.radius_of."""
        if n not in self.plan.sizes:
            raise InputError(f"n {n} is not one of the sizes {self.plan.sizes}")
        return self.class_bound.radius(count, n, runner_up, self.sigma)

    def describe(self) -> dict[str, Any]:
        """See Procedure.describe; `plan` is the digest of what is planned for every pilot (of two
        classes: for some runners-up of each)."""
        if self.bound == OneSided.NAME:
            sizes = [self.planned(votes) for votes in range(self.pilot + 1)]
            planned: list[Any] = [(size, self.checks.get(size)) for size in sizes]
        else:
            planned = [
                self.planned(votes, (self.pilot - votes) // part)
                for votes in range(self.pilot + 1)
                for part in _RUNNERS_UP
            ]
        rule = "tolerance" if self.tolerance is not None else "samples_price"
        return {
            "procedure": self.NAME,
            "n0": self.pilot,
            "n": self.n,
            "alpha": self.alpha,
            rule: getattr(self, rule),
            "sizes": list(self.plan.sizes),
            "checks": list(_CHECKS),
            "beta": _BETA,
            "label_aware": self.label_aware,
            "plan": hashlib.sha256(json.dumps(planned).encode()).hexdigest(),
            **self.class_bound.describe(),
        }

    @classmethod
    def of_description(cls, run: Mapping[str, Any]) -> "RadiusCertify":
        """See FixedCertify.of_description."""
        return cls(
            run["sigma"],
            run["n"],
            run["alpha"],
            run.get("tolerance"),
            run.get("samples_price"),
            run["n0"],
            run["label_aware"],
            run["total_variation"],
            run.get("bound", OneSided.NAME),
        )
