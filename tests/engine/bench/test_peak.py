"""The chain of matrix products: right in every precision, on every runtime that is installed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES, open_host_network
from smoothcert.engine.bench.peak import PeakLoop, write_products
from smoothcert.engine.models.model import open_onnx


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("backend", list(HOST_RUNTIMES))
def test_products_equal_numpy(tmp_path: Path, backend: str, precision: str) -> None:
    if HOST_RUNTIMES[backend].version is None:
        pytest.skip(f"{backend} is not installed")
    path = tmp_path / "products.onnx"
    write_products(path, precision == "int8", width=32, layers=2)
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}
    network = open_host_network(open_onnx(path), backend, None, 4, 1)
    x = np.random.default_rng(1).random((4, 32), np.float32)
    network.inputs[:] = x

    def layer(x: np.ndarray, i: int) -> Any:
        if precision == "fp32":
            return np.matmul(x, tensors[f"w{i}"])
        levels = np.clip(np.rint(x / np.float32(0.02)), 0, 255)
        return np.matmul(levels, tensors[f"q{i}"].astype(np.float64)) * (0.02 * 0.001)

    expected = layer(np.maximum(layer(x, 0), 0), 1)
    # A rounding tie that falls the other way moves an activation by one level of .02.
    tolerance = 1e-5 if precision == "fp32" else 0.003
    assert np.abs(network.run() - expected).max() < tolerance
    assert np.abs(expected).max() > 5 * tolerance


def test_its_rate_is_of_operations(tmp_path: Path) -> None:
    loop = PeakLoop("onnxruntime", "fp32", 1, tmp_path)
    operations, seconds = loop.run(0.0)
    assert operations == 512 * 2 * 2048 * 2048 * 4
    assert seconds > 0
