"""Nodes that hold a fixed batch, one by one: each as some exporter writes it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.foreign.batch import opened_batch
from smoothcert.export.foreign.batch_agreement import example_rows

SPEC = InputSpec(2, 4, 4)


@dataclass(frozen=True)
class Case:
    """Nodes from x [batch, 2, 4, 4] to h, which is then flattened to `width` and classified."""

    batch: int
    nodes: list[Any]
    held: dict[str, Any] = field(default_factory=dict)
    width: int = 32
    opset: int = 13

    def model(self) -> Any:
        rng = np.random.default_rng(3)
        weights = {"w": rng.normal(size=(self.width, 5)).astype(np.float32), **self.held}
        nodes = [
            *self.nodes,
            helper.make_node("Flatten", ["h"], ["f"]),
            helper.make_node("MatMul", ["f", "w"], ["y"]),
        ]
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.batch, *SPEC.shape])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [self.batch, 5])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
        )
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def node(operator: str, inputs: list[str], output: str = "h", **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, [output], **attributes)


def ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def floats(*shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(4).normal(size=shape).astype(np.float32)


def alike(batch: int, *shape: int) -> npt.NDArray[np.float32]:
    return np.tile(floats(1, *shape), (batch, *[1] * len(shape)))


EMPTY = np.zeros(0, np.float32)
POOLED = node("GlobalAveragePool", ["x"], "p")

CASES = {
    "reshape to one row": Case(1, [node("Reshape", ["x", "s"])], {"s": ints(1, -1)}),
    "reshape that fixes all": Case(1, [node("Reshape", ["x", "s"])], {"s": ints(1, 4, 8)}),
    "reshape that copies": Case(1, [node("Reshape", ["x", "s"])], {"s": ints(0, -1)}),
    "reshape of several": Case(3, [node("Reshape", ["x", "s"])], {"s": ints(3, 8, 4)}),
    "reshape that folds": Case(
        3,
        [
            node("Reshape", ["x", "s"], "a"),
            node("Softmax", ["a"], "b", axis=-1),
            node("Reshape", ["b", "t"]),
        ],
        {"s": ints(6, 16), "t": ints(3, 32)},
    ),
    "reshape that folds one row": Case(
        1,
        [
            node("Reshape", ["x", "s"], "a"),
            node("Softmax", ["a"], "b", axis=-1),
            node("Reshape", ["b", "t"]),
        ],
        {"s": ints(2, 16), "t": ints(1, 32)},
    ),
    "heads beside the batch": Case(
        1,
        [
            node("Transpose", ["x"], "a", perm=[2, 0, 1, 3]),  # length, batch, 2, 4
            node("Reshape", ["a", "s"], "b"),  # length, batch * heads, 4
            node("Transpose", ["b"], "c", perm=[1, 0, 2]),
            node("Softmax", ["c"], "d", axis=1),
            node("Transpose", ["d"], "e", perm=[1, 0, 2]),
            node("Reshape", ["e", "t"], "f1"),
            node("Transpose", ["f1"], perm=[1, 0, 2]),
        ],
        {"s": ints(4, 2, 4), "t": ints(4, 1, 8)},
    ),
    "flatten of everything": Case(
        1,
        [node("Flatten", ["x"], "a", axis=0), node("Unsqueeze", ["a", "i"], "b"),
         node("Squeeze", ["b", "i"])],
        {"i": ints(1)},
    ),
    "squeeze of what is one": Case(
        1, [POOLED, node("Squeeze", ["p"], "q"), node("Unsqueeze", ["q", "i"])], {"i": ints(0)}, 2
    ),
    "squeeze of what is one, then another axis": Case(
        3, [POOLED, node("Squeeze", ["p"], "q"), node("Unsqueeze", ["q", "i"])], {"i": ints(1)}, 2
    ),
    "squeeze by attribute": Case(1, [POOLED, node("Squeeze", ["p"], axes=[2, 3])], {}, 2, 11),
    "slice by attribute": Case(
        3, [node("Slice", ["x"], starts=[0, 0], ends=[3, 1], axes=[0, 1])], {}, 16, 9
    ),
    "slice of the batch alone": Case(
        1, [node("Slice", ["x", "a", "b", "c", "d"])],
        {"a": ints(0), "b": ints(1), "c": ints(0), "d": ints(1)},
    ),
    "expand": Case(3, [POOLED, node("Expand", ["p", "s"])], {"s": ints(3, 2, 4, 4)}),
    "expand of one row": Case(1, [POOLED, node("Expand", ["p", "s"])], {"s": ints(1, 2, 4, 4)}),
    "expand of a constant": Case(
        1,
        [node("Expand", ["k", "s"], "a"), node("Concat", ["a", "x"], axis=1)],
        {"k": floats(1, 1, 1, 1), "s": ints(1, 1, 4, 4)}, 48,
    ),
    "expand of a constant by the shape": Case(
        3,
        [
            node("Shape", ["x"], "a"), node("Gather", ["a", "zero"], "b"),
            node("Concat", ["b", "rest"], "s", axis=0), node("Expand", ["k", "s"], "e"),
            node("Concat", ["e", "x"], axis=1),
        ],
        {"zero": ints(0), "rest": ints(1, 4, 4), "k": alike(3, 1, 4, 4)}, 48,
    ),
    "constant of shape": Case(
        3,
        [node("ConstantOfShape", ["s"], "a"), node("Concat", ["x", "a"], axis=1)],
        {"s": ints(3, 1, 4, 4)}, 48,
    ),
    "rows that are added": Case(3, [node("Add", ["x", "k"])], {"k": alike(3, 2, 4, 4)}),
    "rows that are chosen": Case(
        3, [node("Where", ["c", "x", "k"])],
        {"c": np.tile(floats(1, 2, 4, 4) > 0, (3, 1, 1, 1)), "k": alike(3, 2, 4, 4)},
    ),
    "places of flattened rows": Case(
        3, [node("Reshape", ["x", "s"], "a"), node("Gather", ["a", "k"])],
        {"s": ints(-1), "k": np.add.outer(ints(0, 32, 64), [[31, 2, 0], [5, 7, 7]])}, 6,
    ),
    "places of one flattened row": Case(
        1, [node("Reshape", ["x", "s"], "a"), node("Gather", ["a", "k"])],
        {"s": ints(32), "k": ints(31, 2, 0, 5).reshape(1, 4)}, 4,
    ),
    "resize to sizes": Case(
        3, [node("Resize", ["x", "e", "e", "s"], mode="nearest")],
        {"e": EMPTY, "s": ints(3, 2, 8, 8)}, 128,
    ),
    "resize of one row to sizes": Case(
        1, [node("Resize", ["x", "", "", "s"], mode="nearest")], {"s": ints(1, 2, 2, 8)}
    ),
    "tile": Case(1, [POOLED, node("Tile", ["p", "s"])], {"s": ints(1, 1, 4, 4)}),
    "initial state": Case(
        3,
        [
            node("Reshape", ["x", "s"], "a"), node("Transpose", ["a"], "b", perm=[1, 0, 2]),
            helper.make_node("GRU", ["b", "wi", "wr", "", "", "k"], ["", "c"], hidden_size=3),
            node("Transpose", ["c"], perm=[1, 0, 2]),
        ],
        {"s": ints(3, 8, 4), "wi": floats(1, 9, 4), "wr": floats(1, 9, 3),
         "k": np.tile(floats(1, 1, 3), (1, 3, 1))}, 3,
    ),
}  # fmt: skip


def run(model: Any, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": rows})[0])


@pytest.mark.parametrize("name", CASES)
def test_the_batch_is_followed(name: str) -> None:
    case = CASES[name]
    model = case.model()
    onnx.checker.check_model(model)
    opened = opened_batch(model, SPEC, Path())
    assert (opened.reason, opened.proven) == ("", True)
    onnx.checker.check_model(opened.model)
    rows = example_rows(SPEC, 2 * case.batch)
    parts = [run(model, part) for part in np.split(rows, 2)]
    np.testing.assert_allclose(
        run(opened.model, rows[::-1]), np.concatenate(parts)[::-1], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(run(opened.model, rows[:1]), parts[0][:1], rtol=1e-4, atol=1e-5)
