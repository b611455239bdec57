"""The chains of products and convolutions: right in every precision, on every runtime that is
installed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES, open_host_network
from smoothcert.engine.bench.flops import flops_per_sample
from smoothcert.engine.bench.shapes import Shape, write_chain
from smoothcert.engine.models.model import open_onnx

CHAINS = [Shape(4, 32, 2), Shape(3, 8, 2, kernel=3, side=5), Shape(3, 8, 2, kernel=1, side=4)]


def rounded(x: np.ndarray) -> Any:
    return np.clip(np.rint(x / np.float32(0.02)), 0, 255) * 0.02


def layer(x: np.ndarray, weight: np.ndarray) -> Any:
    """A matrix product, or a convolution by its definition."""
    if weight.ndim == 2:
        return x @ weight
    edge = weight.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight)


@pytest.mark.parametrize("shape", CHAINS, ids=lambda shape: shape.title)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("backend", list(HOST_RUNTIMES))
def test_chains_equal_numpy(tmp_path: Path, backend: str, precision: str, shape: Shape) -> None:
    if HOST_RUNTIMES[backend].version is None:
        pytest.skip(f"{backend} is not installed")
    path, quantised = tmp_path / "chain.onnx", precision == "int8"
    write_chain(path, shape, quantised=quantised)
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}
    network = open_host_network(open_onnx(path), backend, None, shape.rows, 1)
    x: Any = np.random.default_rng(1).random((shape.rows, *shape.input), np.float32)
    network.inputs[:] = x.reshape(shape.rows, -1)
    x = x if shape.kernel else x.reshape(shape.rows, -1)
    for i in range(shape.layers):
        if quantised:
            weight = tensors[f"q{i}"].astype(np.float64) * float(tensors["weight_scale"])
            x = layer(rounded(x), weight)
        else:
            x = layer(x.astype(np.float64), tensors[f"w{i}"])
        x = np.maximum(x, 0) if i < shape.layers - 1 else x
    if shape.kernel:
        x = (rounded(x) if quantised else x).mean((2, 3))
    # Rounding ties that fall the other way move activations by one level of .02.
    tolerance = 0.03 if quantised else 1e-5
    assert np.abs(network.run() - x).max() < tolerance
    assert np.abs(x).max() > 5 * tolerance


@pytest.mark.parametrize(
    ("shape", "flops"),
    [(CHAINS[0], 2 * 32 * 32 * 2), (CHAINS[1], 2 * 8 * 8 * 9 * 25 * 2)],
)
def test_its_operations_are_counted_as_a_networks(tmp_path: Path, shape: Shape, flops: int) -> None:
    for quantised in (False, True):
        path = tmp_path / f"{quantised}.onnx"
        write_chain(path, shape, quantised=quantised)
        assert flops_per_sample(path) == flops
