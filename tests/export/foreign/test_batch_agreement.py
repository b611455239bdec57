"""Opened models that are not what they were opened from: found by running them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.foreign.batch_agreement import disagreement, example_rows

SPEC = InputSpec(3, 4, 4)
Write = Callable[..., Path]


@pytest.fixture
def pair(linear_model: Write) -> Callable[[int], tuple[Any, Any]]:
    """A model of a fixed batch, and the same with an open one."""

    def models(batch: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        weight, bias = rng.normal(size=(5, 48)), rng.normal(size=5)
        return (
            onnx.load(str(linear_model(weight, bias, SPEC.shape, batch=batch))),
            onnx.load(str(linear_model(weight, bias, SPEC.shape, batch="N"))),
        )

    return models


@pytest.mark.parametrize("batch", [1, 2, 3, 9])
def test_the_same_network_agrees(pair: Any, batch: int) -> None:
    own, opened = pair(batch)
    assert disagreement(own, opened, SPEC, Path(), "logits") == ""


def mixing(model: Any, nodes: list[Any], **held: Any) -> None:
    """Put nodes from `flat` to `mixed` in front of the last one."""
    last = model.graph.node[-1]
    last.input[0] = "mixed"
    for node in reversed(nodes):
        model.graph.node.insert(1, node)
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in held.items()
    )


@pytest.mark.parametrize("batch", [1, 4])
def test_rows_that_mix_are_found(pair: Any, batch: int) -> None:
    own, opened = pair(batch)
    mean = helper.make_node("ReduceMean", ["flat", "zero"], ["mean"])
    share = helper.make_node("Mul", ["mean", "share"], ["little"])
    both = helper.make_node("Sub", ["flat", "little"], ["mixed"])
    zero = np.array([0], np.int64)
    mixing(opened, [mean, share, both], zero=zero, share=np.array(0.05, np.float32))
    assert "gives other logits" in disagreement(own, opened, SPEC, Path(), "logits")


def test_another_weight_is_found(pair: Any) -> None:
    own, opened = pair(1)
    bias = numpy_helper.to_array(opened.graph.initializer[1]) + np.float32(0.1)
    opened.graph.initializer[1].CopyFrom(numpy_helper.from_array(bias, "bias"))
    assert "a batch of 3 gives other logits" in disagreement(own, opened, SPEC, Path(), "logits")


def test_one_row_for_all_is_found(pair: Any) -> None:
    own, opened = pair(1)
    first = helper.make_node("Gather", ["flat", "zero"], ["mixed"])
    mixing(opened, [first], zero=np.array([0], np.int64))
    assert disagreement(own, opened, SPEC, Path(), "logits") == "a batch of 3 gives [1, 5]"


def test_not_a_number_is_no_agreement(pair: Any) -> None:
    own, opened = pair(1)
    mixing(opened, [helper.make_node("Sqrt", ["flat"], ["mixed"])])
    assert "gives other logits" in disagreement(own, opened, SPEC, Path(), "logits")


def test_a_model_that_no_runtime_takes_cannot_be_compared(pair: Any) -> None:
    own, opened = pair(1)
    own.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(InputError, match="cannot be compared in ONNX Runtime"):
        disagreement(own, opened, SPEC, Path(), "logits")


def test_rows_are_what_the_network_eats() -> None:
    spec = InputSpec(3, 4, 4, (0.5, 0.4, 0.3), (0.2, 0.3, 0.1))
    plain, normalised = example_rows(SPEC, 3), example_rows(spec, 3)
    mean, std = (np.reshape(part, (3, 1, 1)) for part in (spec.mean, spec.std))
    np.testing.assert_allclose(normalised, (plain - mean) / std, rtol=1e-4, atol=1e-4)
    assert plain[1].max() > 1
    assert plain[1].min() < 0
    assert len(np.unique(plain.reshape(3, -1), axis=0)) == 3
