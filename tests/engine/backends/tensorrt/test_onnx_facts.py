"""What a builder refuses before any parser, and the facts that go into a plan's record."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from engine_models import qdq_model
from onnx import TensorProto

from smoothcert.engine.backends.tensorrt.onnx_facts import read_onnx
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx


def test_the_digest_is_that_of_the_model(linear_model: Any, tmp_path: Path) -> None:
    path = linear_model(np.ones((2, 4), np.float32), np.zeros(2, np.float32), (1, 2, 2))
    facts = read_onnx(path)
    assert facts.sha256 == hashlib.sha256(facts.content).hexdigest() == open_onnx(path).sha256
    assert facts.metadata == {}


def test_external_data_is_part_of_the_digest(linear_model: Any, tmp_path: Path) -> None:
    path = linear_model(np.ones((2, 400), np.float32), np.zeros(2, np.float32), (1, 20, 20))
    beside = tmp_path / "beside.onnx"
    onnx.save(
        onnx.load(str(path)),
        str(beside),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    first = read_onnx(beside).sha256
    assert first == open_onnx(beside).sha256
    (tmp_path / "weights.bin").write_bytes(bytes((tmp_path / "weights.bin").stat().st_size))
    assert read_onnx(beside).sha256 != first


@pytest.mark.parametrize(
    ("options", "node"),
    [
        ({"activation": TensorProto.UINT8}, r"'input_Q' \(QuantizeLinear\)"),
        ({"activation": TensorProto.UINT8, "zero_point": 128}, r"'input_Q' \(QuantizeLinear\)"),
        ({"explicit": False}, r"'input_Q' \(QuantizeLinear\)"),
        ({"weight": TensorProto.UINT8}, r"'weight_Q' \(QuantizeLinear\)"),
    ],
)
def test_uint8_is_refused_with_its_node(tmp_path: Path, options: Any, node: str) -> None:
    with pytest.raises(InputError, match=f"node {node}.*uint8.*quantise to int8"):
        read_onnx(qdq_model(tmp_path / "q.onnx", **options))


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.FLOAT8E4M3FN])
def test_signed_quantisation_passes(tmp_path: Path, kind: int) -> None:
    assert read_onnx(qdq_model(tmp_path / "q.onnx", activation=kind, weight=kind)).content


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"no model", "is no ONNX model"), (b"\x08\x08", "without nodes")],
)
def test_what_is_no_model_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_onnx(path)
    assert "\n" not in str(caught.value)
