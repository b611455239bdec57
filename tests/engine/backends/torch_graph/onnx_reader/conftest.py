"""Small ONNX graphs from text, and what ONNX Runtime (or onnx itself) says that they compute."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import read_module

GraphFile = Callable[..., Path]
Agrees = Callable[..., fx.GraphModule]
Operations = Callable[[fx.GraphModule], Counter[str]]


@pytest.fixture
def graph_file(tmp_path: Path) -> GraphFile:
    """Writes graph_file("h = Relu(x)", "y = Exp(h)", shape=(3, 8, 8), opset=18, w=array): a graph
    from x [N, *shape] to y, with its constants by name."""

    def write(
        *lines: str,
        shape: tuple[int, ...] = (3, 8, 8),
        opset: int = 18,
        batch: int | str = "N",
        scalar: int = TensorProto.FLOAT,
        result: int = TensorProto.FLOAT,
        **constants: Any,
    ) -> Path:
        graph = helper.make_graph(
            [parser.parse_node(line) for line in lines],
            "graph",
            [helper.make_tensor_value_info("x", scalar, [batch, *shape])],
            [helper.make_tensor_value_info("y", result, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        versions = [helper.make_opsetid("", opset)]
        path = tmp_path / "graph.onnx"
        onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=10), str(path))
        return path

    return write


@pytest.fixture
def agrees() -> Agrees:
    """agrees(path, batch=3) reads a file, requires ONNX Runtime's outputs of it, and returns it.

    within     the largest difference, relative to the largest output
    reference  asks onnx's own evaluator, for what ONNX Runtime does not have
    """

    def check(
        path: Path, batch: int = 3, within: float = 1e-5, reference: bool = False
    ) -> fx.GraphModule:
        module = read_module(path, batch)
        images = next(iter(module.graph.nodes)).meta["val"]
        torch.manual_seed(batch)
        x = torch.randn(images.shape).to(images.dtype)
        feed = {onnx.load(str(path)).graph.input[0].name: x.numpy()}
        runner: Any = ReferenceEvaluator(str(path)) if reference else _session(path)
        expected = runner.run(None, feed)[0]
        with torch.inference_mode():
            found = module(x).numpy()
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        wide = expected.astype(np.float64)
        assert np.isfinite(wide).all()
        assert np.abs(found - wide).max() <= within * np.abs(wide).max()
        return module

    return check


@pytest.fixture
def same(graph_file: GraphFile, agrees: Agrees) -> Agrees:
    """same("y = Relu(x)", shape=(3, 8, 8), within=1e-5): agrees on the file of graph_file."""

    def check(
        *lines: str, within: float = 1e-5, reference: bool = False, **graph: Any
    ) -> fx.GraphModule:
        batch = graph.get("batch", 3)
        return agrees(graph_file(*lines, **graph), batch, within, reference)

    return check


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.fixture
def operations() -> Operations:
    """How often a graph has each operation: functions by name, modules by class."""

    def count(module: fx.GraphModule) -> Counter[str]:
        names: Counter[str] = Counter()
        for node in module.graph.nodes:
            if node.op == "call_module":
                names[type(module.get_submodule(str(node.target))).__name__] += 1
            elif node.op == "call_function":
                names[getattr(node.target, "__name__", str(node.target))] += 1
        return names

    return count
