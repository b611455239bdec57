"""Networks exported with a fixed batch, and what they give in any other."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.foreign.batch import Opened, opened_batch
from smoothcert.export.foreign.batch_agreement import example_rows

SPEC = InputSpec(3, 16, 16)
WIDTH = 16


def run(model: Any, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (logits,) = session.run(None, {session.get_inputs()[0].name: rows})
    return np.asarray(logits)


def check_opened(model: Any, opened: Opened, batch: int) -> None:
    """A batch of any size gives what the file as it stands gives."""
    assert opened.reason == ""
    onnx.checker.check_model(opened.model)
    rows = example_rows(SPEC, 2 * batch)
    expected = np.concatenate([run(model, rows[i : i + batch]) for i in range(0, 2 * batch, batch)])
    for places in (np.arange(2 * batch)[::-1], np.array([0]), np.arange(2 * batch - 1)):
        found = run(opened.model, rows[places])
        np.testing.assert_allclose(found, expected[places], rtol=1e-4, atol=1e-5)
    (value,) = opened.model.graph.output
    assert value.type.tensor_type.shape.dim[0].dim_param == "N"


def exported(module: Any, batch: int, *, dynamo: bool) -> Any:
    """By torch's exporter, as it does it unasked: without dynamic axes."""
    torch.manual_seed(0)
    module.eval()
    quiet: dict[str, Any] = {"verbose": False, "external_data": False} if dynamo else {}
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            tempfile.TemporaryDirectory() as folder,
        ):
            warnings.simplefilter("ignore")
            path = Path(folder) / "model.onnx"
            rows = torch.rand(batch, *SPEC.shape)
            torch.onnx.export(module, (rows,), path, dynamo=dynamo, **quiet)
            return onnx.load(str(path))
    finally:
        logging.disable(logging.NOTSET)


class Features(nn.Module):
    """Convolutions (one of them depthwise), batch norm, and a way to the logits."""

    def __init__(self, tail: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.MaxPool2d(4),
        )  # fmt: skip
        self.wide, self.narrow, self.tail = nn.Linear(128, 5), nn.Linear(8, 5), tail

    def forward(self, x: Any) -> Any:
        return self.tail(self, self.convolutions(x))


def shuffled(x: Any) -> Any:
    """Channels, as ShuffleNet does it."""
    n, channels, height, width = x.shape
    mixed = x.view(n, 2, channels // 2, height, width).transpose(1, 2).contiguous()
    return mixed.view(n, -1, height, width)


TAILS: dict[str, Callable[[Any, Any], Any]] = {
    "view by size": lambda net, x: net.wide(x.view(x.size(0), -1)),
    "view by features": lambda net, x: net.wide(x.view(-1, 128)),
    "flatten": lambda net, x: net.wide(torch.flatten(x, 1)),
    "pool and view": lambda net, x: net.narrow(x.mean((2, 3), keepdim=True).view(x.shape[0], 8)),
    "squeeze": lambda net, x: net.narrow(x.mean((2, 3), keepdim=True).squeeze(3).squeeze(2)),
    "shuffle": lambda net, x: net.wide(shuffled(x).flatten(1)),
    "resize": lambda net, x: net.wide(functional.interpolate(x, size=(2, 8)).flatten(1)),
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("tail", TAILS)
def test_convolutional_networks(tail: str, batch: int) -> None:
    model = exported(Features(TAILS[tail]), batch, dynamo=False)
    opened = opened_batch(model, SPEC, Path())
    check_opened(model, opened, batch)
    assert opened.proven


def test_the_new_exporter() -> None:
    model = exported(Features(TAILS["shuffle"]), 1, dynamo=True)
    check_opened(model, opened_batch(model, SPEC, Path()), 1)


class Transformer(nn.Module):
    """A small ViT: a class token expanded to the batch, and attention over [L, N * heads, ...]."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(3, WIDTH, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(torch.randn(1, 17, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 32, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        x = self.encoder(x) if self.batch_first else self.encoder(x.transpose(0, 1)).transpose(0, 1)
        return self.head(x[:, 0])


class Windows(nn.Module):
    """Attention within windows that are folded into the batch, as Swin does it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.pair, self.head = nn.Conv2d(3, 8, 1), nn.Linear(8, 24), nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        x = self.first(x).permute(0, 2, 3, 1)
        n, height, width, channels = x.shape
        x = x.view(n, height // 4, 4, width // 4, 4, channels).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, 16, channels)
        windows = x.shape[0]
        q, k, v = self.pair(x).reshape(windows, 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        x = ((q @ k.transpose(-1, -2)).softmax(-1) @ v).transpose(1, 2)
        x = x.reshape(n, height // 4, width // 4, 4, 4, channels).permute(0, 1, 3, 2, 4, 5)
        return self.head(x.reshape(n, height, width, channels).mean((1, 2)))


class Recurrent(nn.Module):
    """The rows of an image as a sequence; its initial state is a constant of the batch's size."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.head = nn.LSTM(48, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        states, _ = self.recurrent(x.permute(0, 2, 1, 3).flatten(2))
        return self.head(states[:, -1])


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    ("make", "dynamo"),
    [
        (lambda: Transformer(batch_first=True), False),
        (lambda: Transformer(batch_first=False), False),
        (lambda: Transformer(batch_first=True), True),
        (Windows, False),
        (Recurrent, False),
    ],
    ids=["first", "second", "dynamo", "windows", "lstm"],
)
def test_networks_that_fold_the_batch(make: Any, dynamo: bool, batch: int) -> None:
    model = exported(make(), batch, dynamo=dynamo)
    check_opened(model, opened_batch(model, SPEC, Path()), batch)


MIXING: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "centred": (lambda net, x: net.wide((x - x.mean(0, keepdim=True)).flatten(1)), "ReduceMean"),
    "softmax": (lambda net, x: net.wide(x.flatten(1)).softmax(0), "Softmax"),
    "sorted": (lambda net, x: net.wide(x.flatten(1)).sort(dim=0)[0], "TopK"),
    "picked": (lambda net, x: net.wide(x[0].reshape(1, -1)), "Gather"),
}


@pytest.mark.parametrize("name", MIXING)
def test_a_node_that_reads_the_whole_batch_keeps_it(name: str) -> None:
    """At batch 1 it is a function of the row, which it would not stay."""
    tail, operator = MIXING[name]
    model = exported(Features(tail), 1, dynamo=False)
    before = model.SerializeToString()
    opened = opened_batch(model, SPEC, Path())
    assert opened.model is None
    assert f"({operator})" in opened.reason
    assert model.SerializeToString() == before


def graph_of(
    nodes: list[Any],
    weights: dict[str, npt.NDArray[Any]],
    shape: tuple[int, ...] = (1, 3, 16, 16),
    out: tuple[int, ...] = (1, 5),
    opset: int = 13,
) -> Any:
    held = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)], held,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def matrix(rows: int, columns: int = 5) -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(rows, columns)).astype(np.float32)


def integers(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    "last",
    [
        helper.make_node("Reshape", ["m", "shape"], ["y"]),
        helper.make_node("Unsqueeze", ["m"], ["y"], axes=[0]),
    ],
)
def test_a_squeeze_that_took_the_batch_of_one_row_too(last: Any) -> None:
    """As x.squeeze() is exported."""
    model = graph_of(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["g"]),
            helper.make_node("Squeeze", ["g"], ["s"]),
            helper.make_node("MatMul", ["s", "w"], ["m"]),
            last,
        ],
        {"w": matrix(3), "shape": integers(1, 5)},
        opset=11,
    )
    check_opened(model, opened_batch(model, SPEC, Path()), 1)


def test_a_slice_of_the_whole_batch_is_the_whole_batch() -> None:
    model = graph_of(
        [
            helper.make_node("Slice", ["x", "starts", "ends"], ["part"]),
            helper.make_node("Flatten", ["part"], ["f"]),
            helper.make_node("Gemm", ["f", "w"], ["y"]),
        ],
        {"starts": integers(0, 0), "ends": integers(4, 2), "w": matrix(512)},
        shape=(4, 3, 16, 16),
        out=(4, 5),
    )
    check_opened(model, opened_batch(model, SPEC, Path()), 4)


def tokens(row: npt.NDArray[np.float32]) -> Any:
    """A constant beside every row of a batch of 4."""
    return graph_of(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["g"]),
            helper.make_node("Flatten", ["g"], ["f"]),
            helper.make_node("Concat", ["token", "f"], ["c"], axis=1),
            helper.make_node("Add", ["c", "more"], ["y"]),
        ],
        {"token": row, "more": np.tile(matrix(1), (4, 1))},
        shape=(4, 3, 16, 16),
        out=(4, 5),
    )


def test_a_constant_of_equal_rows_is_held_once() -> None:
    model = tokens(np.tile(matrix(1, 2), (4, 1)))
    check_opened(model, opened_batch(model, SPEC, Path()), 4)


def test_a_constant_that_differs_from_row_to_row_keeps_the_batch() -> None:
    opened = opened_batch(tokens(matrix(4, 2)), SPEC, Path())
    assert opened.model is None
    assert opened.reason.startswith("a batch of 5 cannot be run; node 'c' (Concat): ")


def test_what_cannot_be_followed_is_compared_alone() -> None:
    """An operator without a rule: opened where rows show it, and not said to be proven."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["m"]),
        helper.make_node("Det", ["m4"], ["d"]),
        helper.make_node("Reshape", ["d", "one"], ["d1"]),
        helper.make_node("Add", ["m", "d1"], ["y"]),
    ]
    nodes.insert(2, helper.make_node("Reshape", ["m9", "square"], ["m4"]))
    nodes.insert(2, helper.make_node("Slice", ["m", "zero", "four", "axis"], ["m9"]))
    weights = {
        "w": matrix(768) / 30, "square": integers(-1, 2, 2), "one": integers(-1, 1),
        "zero": integers(0), "four": integers(4), "axis": integers(1),
    }  # fmt: skip
    model = graph_of(nodes, weights)
    opened = opened_batch(model, SPEC, Path())
    check_opened(model, opened, 1)
    assert not opened.proven


def test_a_file_without_a_fixed_batch_is_none_of_this(model: Path) -> None:
    opened = opened_batch(onnx.load(str(model)), InputSpec(3, 6, 6), model.parent)
    assert (opened.model, opened.reason) == (None, "it has no input with a batch of a fixed size")


def test_a_node_against_the_rules_is_a_reason() -> None:
    malformed = graph_of([helper.make_node("Reshape", ["x", "s"], ["y"])], {"s": integers(1, -1)})
    malformed.graph.output[0].name = "elsewhere"
    opened = opened_batch(malformed, SPEC, Path())
    assert opened.model is None
    assert opened.reason


def test_weights_in_another_file(tmp_path: Path) -> None:
    model = graph_of(
        [
            helper.make_node("Reshape", ["x", "shape"], ["f"]),
            helper.make_node("Gemm", ["f", "w"], ["y"]),
        ],
        {"shape": integers(1, -1), "w": matrix(768)},
    )
    file = tmp_path / "model.onnx"
    onnx.save(model, str(file), save_as_external_data=True, size_threshold=100, location="w.data")
    outside = onnx.load(str(file), load_external_data=False)
    opened = opened_batch(outside, SPEC, tmp_path)
    assert opened.reason == ""
    kept = {tensor.name: tensor for tensor in opened.model.graph.initializer}
    assert kept["w"].data_location == TensorProto.EXTERNAL
