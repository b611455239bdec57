"""Small real models for the engine's tests."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

LinearModel = Callable[..., Path]


@pytest.fixture(autouse=True)
def private_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing a test computes reaches the user's cache."""
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def linear_model(tmp_path: Path) -> LinearModel:
    """Writes an ONNX linear classifier: logits = flatten(x) W^T + b, for x [N, C, H, W]."""

    def write(
        weight: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        shape: tuple[int, int, int],
        batch: int | str = "N",
        name: str = "linear.onnx",
    ) -> Path:
        classes = len(bias)
        graph = helper.make_graph(
            [
                helper.make_node("Flatten", ["input"], ["flat"]),
                helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
            ],
            "linear",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, *shape])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])],
            [
                numpy_helper.from_array(weight.astype(np.float32), "weight"),
                numpy_helper.from_array(bias.astype(np.float32), "bias"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        path = tmp_path / name
        onnx.save(model, str(path))
        return path

    return write
