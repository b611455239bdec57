"""zeta: differing votes are counted per image on shared noise, and bounded."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose
from smoothcert.export.agreement import Disagreement, measure_disagreement

SHAPE = (1, 2, 2)
WEIGHT = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]])
OTHER = np.array([[1.0, 0, 0, 0], [0, 1, 0.2, 0]])


@pytest.fixture
def network(linear_model: Callable[..., Path]) -> Callable[..., OnnxRuntimeNetwork]:
    def build(weight: npt.NDArray[np.float64], batch: int = 7) -> OnnxRuntimeNetwork:
        return OnnxRuntimeNetwork(open_onnx(linear_model(weight, np.zeros(2), SHAPE)), batch)

    return build


def images() -> list[npt.NDArray[np.uint8]]:
    return [np.full(SHAPE, 100, np.uint8), np.array([[[0, 255], [255, 0]]], np.uint8)]


def test_counts_are_those_of_the_noise_law(network: Callable[..., OnnxRuntimeNetwork]) -> None:
    found = measure_disagreement(network(WEIGHT), network(OTHER, 5), images(), 0.25, 50, seed=3)
    law = LatticeGaussian(0.25)
    for j, image in enumerate(images()):
        noisy = image.reshape(-1) + law.sample(3, j, 0, 50, 4, Purpose.PARITY).astype(np.int64)
        first = noisy[:, 1] > noisy[:, 0]
        second = 5 * noisy[:, 1] + noisy[:, 2] > 5 * noisy[:, 0]
        # Ties of integers go either way in floats only where 0.2 is involved: none here.
        assert found.counts[j] == (first != second).sum()
    assert found.counts[0] > 0
    assert found.zeta == found.counts.sum() / 100


def test_equal_networks_agree_and_nan_votes_for_no_class(
    network: Callable[..., OnnxRuntimeNetwork],
) -> None:
    same = measure_disagreement(network(WEIGHT), network(WEIGHT, 9), images(), 0.25)
    assert same.counts.tolist() == [0, 0]
    nan = measure_disagreement(network(WEIGHT), network(WEIGHT * np.nan), images(), 0.25)
    assert nan.zeta == 1.0


def test_bounds() -> None:
    found = Disagreement(np.array([0, 3]), 100, 0.25)
    upper = found.zeta_upper_per_image(0.01)
    assert upper[0] == pytest.approx(1 - 0.01 ** (1 / 100), rel=1e-6)
    assert upper[1] == pytest.approx(stats.beta.ppf(0.99, 4, 97), rel=1e-6)
    assert found.zeta_upper(0.01) == pytest.approx(stats.beta.ppf(0.99, 4, 197), rel=1e-6)


def test_the_bound_on_the_mean_covers_images_of_unlike_rates() -> None:
    """Exactly, by the law of the sum of two binomials, over a grid of rates."""
    alpha, m = 0.05, 12
    for p, q in product(np.linspace(0, 0.9, 19), repeat=2):
        law = np.convolve(stats.binom.pmf(range(m + 1), m, p), stats.binom.pmf(range(m + 1), m, q))
        wrong = sum(
            law[k]
            for k in range(2 * m + 1)
            if Disagreement(np.array([0, k]), m, 1.0).zeta_upper(alpha) < (p + q) / 2
        )
        assert wrong <= alpha


def test_what_cannot_be_compared_is_refused(
    network: Callable[..., OnnxRuntimeNetwork], linear_model: Callable[..., Path]
) -> None:
    three = open_onnx(linear_model(np.ones((3, 4)), np.zeros(3), SHAPE, name="three.onnx"))
    with pytest.raises(InputError, match="cannot be compared"):
        measure_disagreement(network(WEIGHT), OnnxRuntimeNetwork(three, 7), images(), 0.25)
    with pytest.raises(InputError, match="compare nothing"):
        measure_disagreement(network(WEIGHT), network(WEIGHT), [], 0.25)
