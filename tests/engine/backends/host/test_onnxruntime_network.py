"""Half-precision models under ONNX Runtime: inputs rounded once, logits float32, or refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx


def half_of(path: Path, kind: int) -> Path:
    """The linear model with weights, input and logits of another type."""
    model = onnx.load(str(path))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    out = path.with_name("half.onnx")
    onnx.save(model, str(out))
    return out


@pytest.fixture
def path(linear_model: Callable[..., Path]) -> Path:
    weight = np.zeros((2, 3))
    weight[0, 0] = weight[1, 1] = 1.0
    return linear_model(weight, np.zeros(2), (3, 1, 1))


def test_float16_inputs_are_rounded_once_to_nearest_even(path: Path) -> None:
    model = open_onnx(half_of(path, TensorProto.FLOAT16))
    network = OnnxRuntimeNetwork(model, batch=2)
    step = 2.0**-10
    network.inputs[0] = 1 + step / 2, 1 + 3 * step / 2, 0
    network.inputs[1] = 0.1, -0.3, 0
    logits = network.run()
    assert logits.dtype == np.float32
    assert logits[0].tolist() == [1.0, 1 + 2 * step]
    assert logits[1].tolist() == [float(np.float16(0.1)), float(np.float16(-0.3))]


def test_bfloat16_is_refused_in_one_line_that_names_what_runs_it(path: Path) -> None:
    model = open_onnx(half_of(path, TensorProto.BFLOAT16))
    with pytest.raises(InputError, match=r"OpenVINO .* and TensorRT run it") as caught:
        OnnxRuntimeNetwork(model, batch=2)
    assert "\n" not in str(caught.value)
