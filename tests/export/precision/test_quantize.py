"""int8 for a CPU: ONNX Runtime computes exact integers, on whatever processor this runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper, numpy_helper

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.checkpoint_export import export_checkpoint
from smoothcert.export.precision.reduce import Reduction, reduce_precision

DATA = Path(__file__).parents[3] / "data"
SIXTEEN_BITS = 2**15 - 1

Steps = npt.NDArray[np.int64]


@pytest.fixture(params=["demo", "full_range", "depthwise"])
def exported(request: pytest.FixtureRequest, tmp_path: Path, linear_model: Any) -> Path:
    """An int8 file for a CPU: the demo's model, or weights that are all as large as they can be."""
    float32, source = tmp_path / "float32.onnx", DATA / "fashion_mnist_500.npz"
    if request.param == "demo":
        export_checkpoint(DATA / "fashion_mnist_sigma25.pth", float32)
    else:
        signs = np.where(np.arange(10)[:, None] % 2, 1.0, -1.0)
        float32 = linear_model(np.tile(signs, (1, 3 * 64)), np.zeros(10), (3, 8, 8))
        source = tmp_path / "white.npz"
        np.savez(source, images=np.full((4, 8, 8, 3), 255, np.uint8), labels=np.arange(4))
        if request.param == "depthwise":
            depthwise_first(float32)
    out = tmp_path / "int8.onnx"
    # A lenient max_zeta: every layer is quantised.
    reduce_precision(float32, out, Reduction("int8", str(source), 0.25, max_zeta=0.5, images=4))
    return out


def depthwise_first(linear: Path) -> None:
    """A convolution of each channel alone, before the linear model's layer."""
    model = onnx.load(str(linear))
    weight = numpy_helper.from_array(np.ones((3, 1, 3, 3), np.float32), "channels")
    bias = numpy_helper.from_array(np.zeros(3, np.float32), "zeros")
    model.graph.initializer.extend([weight, bias])
    convolution = helper.make_node(
        "Conv",
        ["input", "channels", "zeros"],
        ["convolved"],
        group=3,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
        strides=[1, 1],
    )
    model.graph.node[0].input[0] = "convolved"
    model.graph.node.insert(0, convolution)
    onnx.save(model, str(linear))


def test_no_two_products_leave_sixteen_bits(exported: Path) -> None:
    """What processors without VNNI add in 16 bits: two products of neighbours along a row.

    Depthwise convolutions do not, and use all eight bits.
    """
    model = onnx.load(str(exported))
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights = {name: tensor for name, tensor in tensors.items() if tensor.ndim > 1}
    assert weights
    for name, weight in weights.items():
        steps = int(np.abs(weight.astype(np.int64)).max())
        if name == "channels_quantized":
            assert steps == 127
        else:
            assert 2 * 255 * steps <= SIXTEEN_BITS
            assert steps == 64  # of the seven bits, all are used


def test_onnx_runtime_computes_exact_integers(exported: Path) -> None:
    network = OnnxRuntimeNetwork(open_onnx(exported), 16)
    pixels = network.inputs
    pixels[:] = np.random.default_rng(0).normal(0.5, 0.5, pixels.shape)
    pixels[0], pixels[1] = 9.0, -9.0  # beyond what calibrated: all activations at an end
    logits = network.run()
    images = pixels.reshape(len(pixels), *network.spec.shape)
    assert np.array_equal(logits, in_integers(onnx.load(str(exported)), images))
    assert len(np.unique(logits)) > 10


def in_integers(model: Any, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The logits of a chain of quantised layers, every sum of products in 64-bit integers.

    As the operators QLinearConv and QGemm are defined: an accumulator is multiplied once, by
    x_scale * w_scale / y_scale in float32, and rounded to the nearest even step of the result.
    """
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    scales: dict[str, npt.NDArray[np.float32]] = {}  # of what is no longer an image's floats
    values: dict[str, npt.NDArray[Any]] = {"input": images}
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        first, *others = node.input
        (out,) = node.output
        if node.op_type == "DequantizeLinear":
            scale, zero = (constants[name] for name in others)
            steps = constants[first] if first in constants else values[first]
            shape = [-1, *[1] * (steps.ndim - 1)] if scale.ndim else []
            values[out], scales[out] = steps.astype(np.int64) - zero.reshape(shape), scale
        elif node.op_type == "QuantizeLinear":
            scale, zero = (constants[name] for name in others)
            real = values[first]
            if first not in scales:
                real = real / scale
            elif scales[first].ndim:  # an accumulator, with a scale per channel
                assert np.abs(real).max() < 2**31
                real = real.astype(np.float32) * along_channels(scales[first] / scale, real.ndim)
            else:
                assert scales[first] == scale
            values[out] = np.clip(np.rint(real) + zero, 0, 255).astype(np.uint8)
        elif node.op_type in ("Conv", "Gemm"):
            weight, bias = others
            layer = convolved if node.op_type == "Conv" else multiplied
            sums = layer(values[first], values[weight], attributes)
            values[out] = sums + along_channels(values[bias], sums.ndim)
            scales[out] = scales[first] * scales[weight]
        else:
            values[out] = SHAPED[node.op_type](values[first], attributes)
            if first in scales:
                scales[out] = scales[first]
    return values["logits"].astype(np.float32) * scales["logits"]


def along_channels(values: npt.NDArray[Any], dimensions: int) -> npt.NDArray[Any]:
    """One value per channel, to broadcast over a layer's results."""
    return values.reshape(-1, *[1] * (dimensions - 2))


def convolved(x: Steps, weight: Steps, attributes: dict[str, Any]) -> Steps:
    top, left, bottom, right = attributes["pads"]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (2, 3))
    down, across = attributes["strides"]
    depthwise = attributes.get("group", 1) > 1
    pattern = "nchwij,cxij->nchw" if depthwise else "nchwij,ocij->nohw"
    sums = np.einsum(pattern, windows[:, :, ::down, ::across], weight, optimize=True)
    return np.asarray(sums)


def multiplied(x: Steps, weight: Steps, attributes: dict[str, Any]) -> Steps:
    assert attributes["transB"]
    return x @ weight.T


def pooled(x: Steps, attributes: dict[str, Any]) -> Steps:
    assert attributes["kernel_shape"] == attributes["strides"] == [2, 2]
    n, channels, height, width = x.shape
    even = x[:, :, : height // 2 * 2, : width // 2 * 2]
    pairs = even.reshape(n, channels, height // 2, 2, width // 2, 2)
    return np.asarray(pairs.max(axis=(3, 5)))


def flat(x: Steps, attributes: dict[str, Any]) -> Steps:
    return x.reshape(len(x), -1)


SHAPED: dict[str, Callable[[Steps, dict[str, Any]], Steps]] = {
    "MaxPool": pooled,
    "Reshape": flat,
    "Flatten": flat,
}
