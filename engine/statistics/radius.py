"""Radius mode: the full radius of every image, for as many samples as it is worth."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import PILOT_SAMPLES, SAMPLES_PRICE, TOLERANCE
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import (
    ABSTAIN,
    certified_radius,
    check_alpha,
    check_sigma,
    check_total_variation,
    is_majority,
    smallest_useful_n,
)
from smoothcert.engine.statistics.procedures import Decision, SampleRange, Trial, check_samples
from smoothcert.engine.statistics.sample_plan import SamplePlan, sample_sizes
from smoothcert.engine.statistics.sequential import even_odds, futile_counts

# Fractions of the planned samples after which a hopeless majority is given up, and how rarely a
# class is given up that would prove it with probability 1/2.
_CHECKS = (16, 4)
_BETA = 0.005


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

    def __post_init__(self) -> None:
        """Refuse what cannot certify."""
        check_sigma(self.sigma)
        check_total_variation(self.total_variation)
        least = smallest_useful_n(check_alpha(self.alpha))
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

    @property
    def max_samples(self) -> int:
        """pilot + n."""
        return self.pilot + self.n

    @cached_property
    def plan(self) -> SamplePlan:
        """What the pilot's votes are worth."""
        return SamplePlan(sample_sizes(self.n), self.alpha)

    def planned(self, votes: int) -> int:
        """The fresh samples planned after `votes` for the pilot's class; 0 to abstain at once."""
        if votes not in self._planned:
            if self.tolerance is not None:
                size = self.plan.within_tolerance(votes, self.pilot, self.tolerance)
            else:
                assert self.samples_price is not None
                size = self.plan.worth_its_price(votes, self.pilot, self.samples_price)
            self._planned[votes] = size
        return self._planned[votes]

    @cached_property
    def _planned(self) -> dict[int, int]:
        return {}

    @cached_property
    def checks(self) -> dict[int, list[tuple[int, int]]]:
        """For every size: looks, the last at the size, and the votes that are too few there."""
        return {size: self._checks_of(size) for size in self.plan.sizes}

    def _checks_of(self, size: int) -> list[tuple[int, int]]:
        counts = range(size // 2, size + 1)
        majority = counts[bisect_left(counts, True, key=partial(self.certifies, n=size))]
        looks = [size // part for part in _CHECKS if size // part >= 1]
        few = futile_counts(looks, even_odds([majority], size), _BETA)[:, 0].tolist()
        return [*zip(looks, few, strict=True), (size, majority - 1)]

    def trial(self, label: int | None = None) -> Trial:
        """Pilot and plan, then fresh samples, with two chances to give up."""
        if self.label_aware and label is None:
            raise InputError("a label-aware procedure needs each image's label")
        pilot = yield SampleRange(Purpose.PILOT, 0, self.pilot)
        top = int(np.argmax(pilot))
        size = self.planned(int(pilot[top]))
        count = drawn = 0
        if size == 0 or (self.label_aware and top != label):
            return Decision(ABSTAIN, 0.0, 0, 0, self.pilot, self.pilot)
        for look, few in self.checks[size]:
            fresh = yield SampleRange(Purpose.ESTIMATION, drawn, look - drawn)
            count += int(fresh[top])
            drawn = look
            if count <= few:
                return Decision(ABSTAIN, 0.0, count, drawn, self.pilot, self.pilot + drawn)
        radius = self.radius_of(count, size)
        return Decision(top, radius, count, size, self.pilot, self.pilot + size)

    def certifies(self, count: int, n: int) -> bool:
        """See Procedure.certifies."""
        return is_majority(count, n, self.alpha, total_variation=self.total_variation)

    def radius_of(self, count: int, n: int) -> float:
        """See Procedure.radius_of."""
        if n not in self.plan.sizes:
            raise InputError(f"n {n} is not one of the sizes {self.plan.sizes}")
        return certified_radius(
            count, n, self.alpha, self.sigma, total_variation=self.total_variation
        )

    def describe(self) -> dict[str, Any]:
        """See Procedure.describe; `plan` is the digest of what is planned for every pilot."""
        sizes = [self.planned(votes) for votes in range(self.pilot + 1)]
        planned = [(size, self.checks.get(size)) for size in sizes]
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
        )
