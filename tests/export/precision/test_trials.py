"""Models on trial: float32 votes are taken once, and what is decided is what all votes say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.precision.calibration import Calibration
from smoothcert.export.precision.trials import MOST_ROWS, Trials, search_rows

SHAPE, BATCH = (1, 2, 2), 8
WEIGHT = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]])


class Counted:
    """A network that counts the rows it runs."""

    def __init__(self, network: OnnxRuntimeNetwork) -> None:
        self._network = network
        self.spec, self.num_classes, self.inputs = network.spec, network.num_classes, network.inputs
        self.rows = 0

    def run(self) -> npt.NDArray[np.float32]:
        self.rows += len(self.inputs)
        return self._network.run()

    def describe(self) -> dict[str, object]:
        return self._network.describe()


@pytest.fixture
def network(linear_model: Callable[..., Path]) -> Callable[..., Counted]:
    def build(weight: npt.NDArray[np.float64]) -> Counted:
        return Counted(
            OnnxRuntimeNetwork(open_onnx(linear_model(weight, np.zeros(2), SHAPE)), BATCH)
        )

    return build


def calibration(images: int) -> Calibration:
    pixels = np.random.default_rng(0).integers(90, 110, (images, *SHAPE)).astype(np.uint8)
    return Calibration(list(pixels), 0.25)


def test_float32_votes_are_taken_once_and_no_more_than_needed(
    network: Callable[..., Counted],
) -> None:
    made: list[Counted] = []

    def reference() -> Counted:
        made.append(network(WEIGHT))
        return made[-1]

    told: list[int] = []
    trials = Trials(search_rows(calibration(32)), reference, BATCH, 0.05, told.append)
    assert not made
    opposite = trials.verdict(network(-WEIGHT))
    assert not opposite.passes
    assert opposite.differing > 0.5 * opposite.rows
    assert made[0].rows == opposite.rows < 32
    same = trials.verdict(network(WEIGHT))
    assert (same.passes, same.differing) == (True, 0)
    assert made[0].rows == same.rows < 256
    before = made[0].rows
    assert trials.verdict(network(-WEIGHT)) == opposite
    assert trials.verdict(network(2 * WEIGHT)) == same
    assert (len(made), made[0].rows) == (1, before)
    assert sum(told) == 2 * (opposite.rows + same.rows)
    assert trials.spent == sum(told) + before


def test_rows_that_are_not_finite_differ(network: Callable[..., Counted]) -> None:
    trials = Trials(
        search_rows(calibration(4)), lambda: network(WEIGHT), BATCH, 0.5, lambda _: None
    )
    assert not trials.verdict(network(WEIGHT * np.nan)).passes


def test_rows_are_eight_of_each_image_in_another_order_and_bounded(
    network: Callable[..., Counted],
) -> None:
    assert len(search_rows(calibration(5))) == 40
    assert len(search_rows(calibration(300))) == MOST_ROWS < 300 * 8
    once, again = (
        np.concatenate([logits.copy() for logits in search_rows(calibration(5)).logits(net)])
        for net in (network(WEIGHT), network(WEIGHT))
    )
    assert np.array_equal(once, again)
    assert len(np.unique(once, axis=0)) == 40
