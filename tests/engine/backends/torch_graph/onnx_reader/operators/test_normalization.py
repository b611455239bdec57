from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)

Same = Callable[..., fx.GraphModule]


def _numbers(*shape: int, least: float = -1.0, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(sum(shape)).uniform(least, 2.0, shape).astype(dtype)


def _recorded(channels: int, dtype: Any = np.float32) -> dict[str, Any]:
    """Scale, bias, mean and variance of a batch normalisation."""
    return {
        "s": _numbers(channels, dtype=dtype),
        "b": _numbers(channels, dtype=dtype) + dtype(1),
        "m": _numbers(channels, dtype=dtype) * dtype(2),
        "v": _numbers(channels, least=0.1, dtype=dtype),
    }


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((4,), nn.BatchNorm1d), ((4, 6), nn.BatchNorm1d), ((4, 6, 5), nn.BatchNorm2d),
     ((4, 3, 2, 5), nn.BatchNorm3d)],
)  # fmt: skip
@pytest.mark.parametrize("opset", [9, 14, 15])
def test_batch_normalization_is_a_module(
    same: Same, shape: tuple[int, ...], kind: type[nn.Module], opset: int
) -> None:
    line = "y = BatchNormalization<epsilon=0.01, momentum=0.9>(x, s, b, m, v)"
    module = same(line, shape=shape, opset=opset, **_recorded(4))
    (layer,) = (layer for layer in module.modules() if isinstance(layer, kind))
    assert not layer.training


def test_batch_normalization_of_halves(same: Same) -> None:
    same("y = BatchNormalization(x, s, b, m, v)", within=3e-3, scalar=TensorProto.FLOAT16,
         result=TensorProto.FLOAT16, **_recorded(3, np.float16))  # fmt: skip


def test_a_weight_may_be_normalised_by_its_own_statistics(same: Same) -> None:
    ones, none = np.ones(4, np.float32), np.zeros(4, np.float32)
    same("n, m2, v2 = BatchNormalization<training_mode=1>(k, s, z, z, s)",
         "w = Reshape(n, to)", "y = Conv(x, w)", opset=15, k=_numbers(1, 4, 27), s=ones, z=none,
         to=np.array([4, 3, 3, 3]))  # fmt: skip


def test_a_weight_may_be_normalised_by_recorded_statistics(same: Same) -> None:
    same("n = BatchNormalization(k, s, b, m, v)", "y = Conv(x, n)", k=_numbers(2, 3, 3, 3),
         **_recorded(3))  # fmt: skip


@pytest.mark.parametrize("axis", [-1, 2, 1])
def test_layer_normalization(same: Same, axis: int) -> None:
    part = (3, 8, 8)[axis if axis < 0 else axis - 1 :]
    line = f"y = LayerNormalization<axis={axis}, epsilon=0.001>(x, s"
    same(f"{line}, b)", opset=17, s=_numbers(*part), b=_numbers(*part))
    same(f"{line})", opset=17, s=_numbers(8))  # repeated as broadcasting would


def test_layer_normalization_of_large_numbers(same: Same) -> None:
    same("a = Mul(x, c)", "y = LayerNormalization(a, s)", within=1e-5, c=np.float32(1e4),
         s=_numbers(8))  # fmt: skip


def test_rms_normalization(same: Same) -> None:
    same("y = RMSNormalization<axis=-1, epsilon=0.01>(x, s)", opset=23, reference=True,
         s=_numbers(8))  # fmt: skip


def test_instance_normalization(same: Same) -> None:
    same("y = InstanceNormalization<epsilon=0.01>(x, s, b)", s=_numbers(3), b=_numbers(3))


@pytest.mark.parametrize(("opset", "length"), [(18, 3), (21, 6)])
def test_group_normalization_has_numbers_of_groups_then_of_channels(
    same: Same, opset: int, length: int
) -> None:
    same("y = GroupNormalization<num_groups=3, epsilon=0.01>(x, s, b)", shape=(6, 4, 5),
         opset=opset, s=_numbers(length), b=_numbers(length, least=0.5))  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_normalization(same: Same, size: int) -> None:
    line = f"y = LRN<size={size}, alpha=0.5, beta=0.6, bias=1.5>(x)"
    same(line, shape=(7, 4, 4), opset=13)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [None, 1, 2, 3, -2])
@pytest.mark.parametrize("opset", [11, 12, 13])
def test_softmax_is_over_one_axis_since_opset_13(
    same: Same, name: str, axis: int | None, opset: int
) -> None:
    attribute = "" if axis is None else f"<axis={axis}>"
    same(f"y = {name}{attribute}(x)", shape=(3, 4, 5), opset=opset)


@pytest.mark.parametrize(
    ("line", "opset", "reason"),
    [
        ("y = BatchNormalization<training_mode=1>(x, s, b, m, v)", 15, "training_mode is 1"),
        ("y, p, q = BatchNormalization(x, s, b, m, v)", 9, "outputs beside the first: training"),
        ("y = BatchNormalization(x, s, b, m, x)", 15, "the variance must be given"),
        ("y = BatchNormalization(x, s, b, m, double)", 15, "a variance of torch.float64"),
        ("y = LayerNormalization<stash_type=11>(x, c)", 17, "stash_type is 11"),
        ("y = LRN<size=4>(x)", 13, r"an even size \(4\)"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], line: str, opset: int, reason: str) -> None:
    path = graph_file(line, opset=opset, c=_numbers(8), double=np.ones(3), **_recorded(3))
    with pytest.raises(UnsupportedGraphError, match=rf"\(opset {opset}\), node 'y': {reason}"):
        read_module(path, 2)
