import numpy as np
import numpy.typing as npt
import pytest
from scipy import special

from smoothcert.engine.statistics.class_bounds import TwoClass
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.sample_plan import SamplePlan
from smoothcert.engine.statistics.two_class_plan import TwoClassPlan

BOUND = TwoClass(0.001)
PLAN = TwoClassPlan((512, 5000, 50_000), BOUND.alpha_top, BOUND.alpha_runner_up)


@pytest.mark.parametrize(("votes", "runner_up"), [(480, 12), (300, 100), (250, 30), (150, 20)])
def test_the_expected_radius_is_that_of_the_model(votes: int, runner_up: int) -> None:
    """Sampled: z of either class from its posterior on a flat prior, then counts, then the radius;
    counts that do not add up to n have no part in what a plan is for."""
    rng, pilot = np.random.default_rng(1), 500
    expected = PLAN.expected(votes, runner_up, pilot)
    z = np.arange(-4.0, 6.0, 0.01)

    def drawn(of: int) -> npt.NDArray[np.float64]:
        log = special.xlogy(of, special.ndtr(z)) + special.xlogy(pilot - of, special.ndtr(-z))
        weights = np.exp(log - log.max())
        found: npt.NDArray[np.float64] = rng.choice(z, 3000, p=weights / weights.sum())
        return np.asarray(special.ndtr(found))

    for size, found in zip(PLAN.sizes, expected, strict=True):
        tops = rng.binomial(size, drawn(votes))
        others = np.minimum(rng.binomial(size, drawn(runner_up)), size - tops)
        radii = [
            BOUND.radius(int(top), size, int(other), 1.0)
            for top, other in zip(tops, others, strict=True)
        ]
        assert found == pytest.approx(np.mean(radii), abs=0.02, rel=0.03)


def test_where_the_runner_up_has_the_rest_both_plans_agree() -> None:
    one = SamplePlan(PLAN.sizes, BOUND.alpha_top)
    for votes in (300, 400, 450):
        two = PLAN.expected(votes, 500 - votes, 500)
        np.testing.assert_allclose(two, one.expected(votes, 0, 500), rtol=0.03, atol=0.005)


def test_a_class_without_a_majority_is_worth_samples() -> None:
    one = RadiusCertify(0.5, n=20_000, tolerance=0.01)
    two = RadiusCertify(0.5, n=20_000, tolerance=0.01, bound="two-class")
    assert one.planned(200, 20) == 0
    assert two.planned(200, 20) > 0
    assert two.planned(200, 199) <= two.planned(200, 150)
