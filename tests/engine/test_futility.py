import numpy as np
from scipy import stats

from smoothcert.engine.futility import even_odds, futile_counts


def test_even_odds() -> None:
    q = even_odds([501, 990, 1000, 1001], 1000)
    np.testing.assert_allclose(stats.binom.sf([500, 989, 999], 1000, 1 - q[:3]), 0.5, rtol=1e-9)
    assert q[3] == 0.0


def test_futile_counts_are_the_rare_ones() -> None:
    looks, q = (10, 512, 100_000), np.array([0.49, 0.1, 1e-5, 0.0])
    counts = futile_counts(looks, q, 0.01)
    for j, n in enumerate(looks):
        for a in range(3):
            x = counts[j, a]
            assert stats.binom.cdf(x, n, 1 - q[a]) < 0.01  # 0 for x = -1
            assert stats.binom.cdf(x + 1, n, 1 - q[a]) >= 0.01
    assert counts[:, 3].tolist() == list(looks)


def test_without_beta_nothing_is_futile() -> None:
    assert np.all(futile_counts((10, 100), np.array([0.1, 0.4]), 0.0) == -1)
