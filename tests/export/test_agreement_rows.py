"""Rows of noise: those of the noise law, in any order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.agreement import NoisyRows


def test_an_order_takes_the_same_rows(linear_model: Callable[..., Path]) -> None:
    shape = (1, 2, 2)
    images = list(np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8))
    path = linear_model(np.eye(4), np.zeros(4), shape)
    order = np.array([7, 0, 11, 5, 3], np.int64)

    def logits(order: npt.NDArray[Any] | None, batch: int) -> npt.NDArray[Any]:
        network, told = OnnxRuntimeNetwork(open_onnx(path), batch), list[int]()
        rows = NoisyRows(images, 0.25, 4, seed=3, order=order)
        found = np.concatenate([part.copy() for part in rows.logits(network, told.append)])
        assert sum(told) == len(rows) == len(found)
        return found

    assert np.array_equal(logits(order, 2), logits(None, 5)[order])
