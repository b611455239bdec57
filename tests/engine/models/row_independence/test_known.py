"""What is known of a file before it runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.models.row_independence.known import Known, known_of

SHAPE = (3, 6, 6)


@pytest.fixture
def linear(linear_model: Callable[..., Path]) -> Path:
    return linear_model(np.ones((4, 108)), np.zeros(4), SHAPE)


def known(path: Path, rows: int | None = None) -> Known:
    return known_of(path, file_digest(path), SHAPE, rows)


def extended(path: Path, *nodes: onnx.NodeProto) -> Path:
    """The model with these nodes behind its logits; the last gives the output."""
    model = onnx.load(str(path))
    model.graph.node.extend(nodes)
    model.graph.output[0].name = nodes[-1].output[0]
    onnx.save(model, str(path))
    return path


def test_proven(linear: Path) -> None:
    for rows in (None, 1, 64):
        assert known(linear, rows) == Known("proven")


def test_refused_whatever_the_batch(linear: Path) -> None:
    path = extended(linear, helper.make_node("Softmax", ["logits"], ["p"], name="over", axis=0))
    for rows in (None, 1, 64):
        with pytest.raises(InputError, match=r"node 'over' \(Softmax\)"):
            known(path, rows)


def test_dynamic_quantisation_is_bound_to_one_row(linear: Path) -> None:
    path = extended(
        linear,
        helper.make_node("DynamicQuantizeLinear", ["logits"], ["q", "s", "z"], name="dynamic"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["again"]),
    )
    assert known(path, 1) == Known("proven", batch=1)
    for rows in (None, 2):
        with pytest.raises(InputError, match=r"node 'dynamic' \(DynamicQuantizeLinear\)"):
            known(path, rows)


def test_what_is_not_followed_says_where(linear: Path) -> None:
    path = extended(
        linear,
        helper.make_node("NonZero", ["logits"], ["places"], name="where"),
        helper.make_node("Transpose", ["places"], ["out"]),
    )
    found = known(path)
    assert found.verdict == "probed"
    assert found.reason.startswith("node 'where' (NonZero)")
