"""Table mode: certified accuracy at given radii, at a fraction of the samples.

A table of certified accuracies asks of each image only which of a few radii it certifies. Most
images are far from all of them, and exact group-sequential tests see that early.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import TABLE_SAMPLES
from smoothcert.engine.statistics.bounds import (
    check_alpha,
    check_sigma,
    check_total_variation,
    smallest_useful_n,
)
from smoothcert.engine.statistics.procedures import Decision, Trial, check_samples
from smoothcert.engine.statistics.sequential import (
    Ints,
    Spending,
    even_odds,
    futile_counts,
    looks_until,
)
from smoothcert.engine.statistics.table_boundaries import (
    FINE_STEP,
    BoundaryTable,
    boundary_table,
    radius_steps,
)
from smoothcert.engine.statistics.table_state import TableState


@dataclass(frozen=True)
class Setting:
    """How a table is sampled: `spending` of alpha over the looks, and `beta`: a class that would
    reach its next radius after n samples with probability 1/2 is given up at a look with at most
    this probability."""

    spending: Spending
    beta: float


SETTINGS = {
    "strict": Setting(Spending(0.0, 0.25, 0.75), 0.006),
    "fast": Setting(Spending(0.0, 0.5, 0.5), 0.035),
}
"""On the workloads of the published logs, strict loses less than .001 of certified accuracy at any
radius against n samples for every image, fast about .002 (benchmarks/results/samples.md; they were
chosen on these workloads). The guarantee is the same."""

_MOST_PLANNED = 10**9
"""Samples times radii: planning takes a minute or two there."""


@dataclass(frozen=True)
class TableCertify:
    """Which of the radii asked for does each image certify, and for which class?

    With probability at least 1 - alpha over the noise, a returned class is the smoothed
    classifier's prediction everywhere within the returned radius (or the result is ABSTAIN); the
    proof is in table_boundaries.py. No samples are spent on selection: the class is the one whose
    votes crossed a boundary, and should a second one cross, the result is ABSTAIN.

    The returned radius is the largest certified one of a fine grid (FINE_STEP in radius / sigma,
    and `radii`), which costs nothing more. But sampling ends when each of `radii` is certified or
    given up, so between them the radius is smaller than n samples would make it: certified
    accuracy is to be read at `radii` alone.

    radii        [0, 1]-pixel units, rounded up to multiples of 1e-6
    n            the most samples of an image
    setting      "strict" or "fast": see SETTINGS
    looks        where to look, ascending, the last at n; None: 512 * 1.25^i in multiples of 64
    label_aware  end as soon as the image's label is no longer likely to be certified: once
                 another class is certified, or the label's votes are too few. What has been
                 certified by then is returned, with the same guarantee; radii of misclassified
                 images are smaller, certified accuracy is the same.
    total_variation  of the sampler over one image (noise/lattice.py), allowed for in the boundaries
    budgeted     decisions tell how many radii are undecided: an image may be left before it ends

    Raises InputError for sigma, radii, n, alpha or looks out of range, an unknown setting, and
    where none of the radii can ever be certified.
    """

    NAME: ClassVar = "table"

    sigma: float
    radii: tuple[float, ...]
    n: int = 100_000
    alpha: float = 0.001
    setting: str = "strict"
    looks: tuple[int, ...] | None = None
    label_aware: bool = False
    total_variation: float = 0.0
    budgeted: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot certify."""
        check_sigma(self.sigma)
        check_total_variation(self.total_variation)
        least = smallest_useful_n(check_alpha(self.alpha), parts=2)
        check_samples("n", self.n, least, f" ever to certify at alpha {self.alpha}")
        TABLE_SAMPLES.check(self.n)
        if self.n * len(self.radii) > _MOST_PLANNED:
            raise InputError(
                f"{len(self.radii)} radii of n {self.n} take too long to plan: expected n times "
                f"the number of radii to be at most {_MOST_PLANNED}"
            )
        if self.setting not in SETTINGS:
            names = " or ".join(SETTINGS)
            raise InputError(f"setting {self.setting!r} is unknown: expected {names}")
        looks = self._looks
        if looks[0] < 1 or looks[-1] != self.n or any(np.diff(looks) < 1):
            raise InputError(f"looks {looks} do not fit: expected ascending numbers up to {self.n}")
        if self.table.needed[-1, self.asked[0]] > self.n:
            raise InputError(
                f"none of the radii {', '.join(map(str, self.radii))} can be certified with sigma "
                f"{self.sigma}, n {self.n} and alpha {self.alpha}: the largest that can be is "
                f"{self.table.radius(self.table.level(len(looks) - 1, self.n))}"
            )

    @property
    def max_samples(self) -> int:
        """n."""
        return self.n

    @cached_property
    def table(self) -> BoundaryTable:
        """The boundaries; about a second at first, then from the user's cache."""
        spending = SETTINGS[self.setting].spending
        asked = radius_steps(self.radii)
        return boundary_table(
            self.sigma, asked, self._looks, self.alpha, spending, self.total_variation
        )

    @property
    def _looks(self) -> tuple[int, ...]:
        return looks_until(self.n) if self.looks is None else tuple(self.looks)

    @cached_property
    def asked(self) -> Ints:
        """The levels of the radii asked for."""
        return np.searchsorted(self.table.steps, radius_steps(self.radii))

    @cached_property
    def futile(self) -> list[list[int]]:
        """[look][i]: with at most so many votes, the i-th radius asked for is given up."""
        needed = self.table.needed[-1, self.asked]
        beta = SETTINGS[self.setting].beta
        counts: list[list[int]] = futile_counts(
            self._looks, even_odds(needed, self.n), beta
        ).tolist()
        return counts

    def state(self, label: int | None = None) -> TableState:
        """An image of which nothing is known yet."""
        if self.label_aware and label is None:
            raise InputError("a label-aware procedure needs each image's label")
        return TableState(self.table, self.asked, self.futile, label if self.label_aware else None)

    def trial(self, label: int | None = None, until: int | None = None) -> Trial:
        """Look after look, until every radius asked for is certified or given up.

        until  a look at which it ends in any case, as under a budget
        """
        state = self.state(label)
        while not state.ended:
            state.take((yield state.wanted))
            if state.drawn == until:
                break
        return self.decision(state)

    def decision(self, state: TableState) -> Decision:
        """What is known of an image in this state, whether it has ended or not."""
        decision = state.decision()
        return replace(decision, undecided=state.undecided) if self.budgeted else decision

    def certifies(self, count: int, n: int, runner_up: int | None = None) -> bool:
        """See Procedure.certifies."""
        return self.table.level(self._look_at(n), count) >= 0

    def radius_of(self, count: int, n: int, runner_up: int | None = None) -> float:
        """See Procedure.radius_of: the radius of the level that `count` votes reach at look n."""
        return self.table.radius(max(0, self.table.level(self._look_at(n), count)))

    def _look_at(self, n: int) -> int:
        if n not in self.table.looks:
            raise InputError(f"n {n} is not one of the looks {self.table.looks}")
        return self.table.looks.index(n)

    def describe(self) -> dict[str, Any]:
        """See Procedure.describe; `boundaries` is the digest of the table's integers."""
        return {
            "procedure": self.NAME,
            "radii": list(self.radii),
            "n0": 0,
            "n": self.n,
            "alpha": self.alpha,
            "setting": self.setting,
            **asdict(SETTINGS[self.setting]),
            "fine_step": FINE_STEP,
            "looks": list(self.table.looks),
            "label_aware": self.label_aware,
            "boundaries": self.table.digest,
            **({"budgeted": True} if self.budgeted else {}),
        }

    @classmethod
    def of_description(cls, run: Mapping[str, Any]) -> "TableCertify":
        """See FixedCertify.of_description."""
        return cls(
            run["sigma"],
            tuple(run["radii"]),
            run["n"],
            run["alpha"],
            run["setting"],
            tuple(run["looks"]),
            run["label_aware"],
            run["total_variation"],
            run.get("budgeted", False),
        )
