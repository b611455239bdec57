import numpy as np
import pytest
from scipy import special, stats

from smoothcert.engine.statistics.bounds import lower_confidence_bound
from smoothcert.engine.statistics.sample_plan import SamplePlan, _radius, over_counts, sample_sizes

ALPHA = 0.001


@pytest.mark.parametrize("n", [384, 6400])
def test_the_expectation_is_that_over_all_counts(n: int) -> None:
    z = np.array([-0.3, 0.0, 0.1, 0.7, 1.5, 2.5, 4.0])
    counts = np.arange(n + 1)
    bound = np.asarray(lower_confidence_bound(counts, n, ALPHA))
    radii = np.maximum(0.0, special.ndtri(bound))
    exact = [float(stats.binom.pmf(counts, n, p) @ radii) for p in special.ndtr(z)]
    np.testing.assert_allclose(over_counts(n, z, ALPHA, _radius)[0], exact, rtol=2e-3, atol=1e-5)


def test_a_plan_spends_least_within_its_tolerance() -> None:
    plan = SamplePlan(sample_sizes(100_000), ALPHA)
    for votes in (260, 300, 450, 490, 500):
        size = plan.within_tolerance(votes, 0, 500, 0.01)
        expected = dict(zip(plan.sizes, plan.expected(votes, 0, 500).tolist(), strict=True))
        assert expected[size] >= 0.99 * expected[100_000]
        assert all(expected[s] < 0.99 * expected[100_000] for s in plan.sizes if s < size)
    assert plan.within_tolerance(150, 0, 500, 0.01) == 0
    assert plan.within_tolerance(500, 0, 500, 0.01) == 100_000


def test_a_plan_pays_no_more_than_a_radius_is_worth() -> None:
    plan = SamplePlan(sample_sizes(1_000_000), ALPHA)
    for votes in (260, 400, 500):
        sizes = [plan.worth_its_price(votes, 0, 500, price) for price in (0.01, 0.1, 1.0, 10.0)]
        assert sizes == sorted(sizes, reverse=True)
    assert plan.worth_its_price(500, 0, 500, 0.01) == 1_000_000
    assert plan.worth_its_price(200, 0, 500, 0.1) == 0
    assert plan.worth_its_price(260, 0, 500, 100.0) == 0


def test_sizes() -> None:
    assert sample_sizes(150) == (150,)
    assert sample_sizes(150, 64) == (64, 64, 128, 150)
    assert sample_sizes(1000) == (192, 256, 384, 576, 832, 1000)
