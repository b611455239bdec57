import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, parser
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)
from smoothcert.engine.base.errors import InputError

CASES = Path(__file__).parents[6] / "shared" / "cases" / "model"

GraphFile = Callable[..., Path]
Same = Callable[..., fx.GraphModule]


def _weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_a_module_is_fit_to_be_run(graph_file: GraphFile) -> None:
    path = graph_file("a = Conv(x, w)", "y = BatchNormalization(a, s, s, s, s)",
                      w=_weights(4, 3, 3, 3), s=np.ones(4, np.float32))  # fmt: skip
    module = read_module(path, 5)
    assert not any(layer.training for layer in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert {tensor.device.type for tensor in module.state_dict().values()} == {"cpu"}
    (images,) = (node for node in module.graph.nodes if node.op == "placeholder")
    assert images.meta["val"].shape == (5, 3, 8, 8)
    assert isinstance(module.get_submodule("conv2d_0"), nn.Conv2d)


def test_bfloat16_weights_keep_their_bits(tmp_path: Path) -> None:
    weight = torch.randn(4, 3).bfloat16()
    bits = weight.view(torch.int16).numpy()
    raw = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[4, 3],
                      raw_data=bits.tobytes())  # fmt: skip
    listed = TensorProto(name="b", data_type=TensorProto.BFLOAT16, dims=[4],
                         int32_data=bits[:, 0].astype(np.uint16).tolist())  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.BFLOAT16, ["N", 4])],
        [raw, listed],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]),
              str(tmp_path / "graph.onnx"))  # fmt: skip
    (layer,) = (m for m in read_module(tmp_path / "graph.onnx", 2).modules()
                if isinstance(m, nn.Linear))  # fmt: skip
    assert torch.equal(layer.weight, weight)
    assert torch.equal(layer.bias, weight[:, 0])


def test_weights_may_lie_beside_the_file(graph_file: GraphFile, agrees: Same) -> None:
    path = graph_file("y = Conv(x, w)", w=_weights(64, 3, 3, 3))
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=True, location="weights.bin",
              size_threshold=16)  # fmt: skip
    agrees(path)
    (path.parent / "weights.bin").unlink()
    with pytest.raises(UnsupportedGraphError, match="it cannot be read"):
        read_module(path, 3)


def test_functions_of_the_file_are_written_out(tmp_path: Path, agrees: Same) -> None:
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 18, "own" : 1]>
        graph (float[N, 3, 4] x) => (float[N, 3, 4] y) {
            a = own.gated <by: float = 2.0> (x)
            y = own.gated <by: float = 0.5> (a)
        }
        <domain: "own", opset_import: ["" : 18]>
        gated <by> (v) => (w) {
            c = Constant <value_float: float = @by> ()
            m = Mul(v, c)
            g = Sigmoid(m)
            w = Mul(v, g)
        }
    """)
    onnx.save(model, str(tmp_path / "graph.onnx"))
    agrees(tmp_path / "graph.onnx")


def test_of_several_outputs_the_first_is_the_logits(graph_file: GraphFile) -> None:
    model = onnx.load(str(graph_file("y = Relu(x)", "z = Sin(x)")))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    path = graph_file("y = Relu(x)")
    onnx.save(model, str(path))
    assert torch.equal(read_module(path, 2)(-torch.ones(2, 3, 8, 8)), torch.zeros(2, 3, 8, 8))


def test_an_initializer_may_be_listed_among_the_inputs(graph_file: GraphFile) -> None:
    path = graph_file("y = Mul(x, w)", w=np.float32(2))
    model = onnx.load(str(path))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, []))
    onnx.save(model, str(path))
    assert torch.equal(read_module(path, 1)(torch.ones(1, 3, 8, 8)), 2 * torch.ones(1, 3, 8, 8))


@pytest.mark.parametrize("opset", [8, 26])
def test_other_opsets_are_refused(graph_file: GraphFile, opset: int) -> None:
    with pytest.raises(UnsupportedGraphError, match=rf"opset {opset}: expected one of 9 to 25"):
        read_module(graph_file("y = Relu(x)", opset=opset), 2)


@pytest.mark.parametrize("opset", [9, 25])
def test_these_opsets_are_read(graph_file: GraphFile, opset: int) -> None:
    assert len(read_module(graph_file("y = Relu(x)", opset=opset), 2).graph.nodes) == 3


def test_a_fixed_batch_is_kept_or_refused(graph_file: GraphFile, agrees: Same) -> None:
    path = graph_file("y = Relu(x)", batch=4)
    agrees(path, 4)
    with pytest.raises(UnsupportedGraphError, match="the batch is fixed at 4, not 3"):
        read_module(path, 3)


def test_open_sides_are_refused(graph_file: GraphFile) -> None:
    model = onnx.load(str(graph_file("y = Relu(x)")))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"
    path = graph_file("y = Relu(x)")
    onnx.save(model, str(path))
    with pytest.raises(UnsupportedGraphError, match=r"input 'x' leaves its shape \[0, 3, 0, 8\]"):
        read_module(path, 2)


def test_several_inputs_are_refused(graph_file: GraphFile) -> None:
    path = graph_file("y = Add(x, z)")
    model = onnx.load(str(path))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    onnx.save(model, str(path))
    with pytest.raises(UnsupportedGraphError, match=r"2 inputs \(x, z\): expected one, images"):
        read_module(path, 2)


def test_inputs_of_another_type_are_refused(graph_file: GraphFile) -> None:
    with pytest.raises(UnsupportedGraphError, match="input 'x': element type 12 is not brought"):
        read_module(graph_file("y = Relu(x)", scalar=TensorProto.UINT32), 2)


def test_sparse_initializers_are_refused(graph_file: GraphFile) -> None:
    path = graph_file("y = Mul(x, w)")
    model = onnx.load(str(path))
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    places = numpy_helper.from_array(np.array([2]), "w_places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [8]))
    onnx.save(model, str(path))
    with pytest.raises(UnsupportedGraphError, match="initializer 'w' is sparse"):
        read_module(path, 2)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("this is no model")
    with pytest.raises(
        UnsupportedGraphError, match=r"text\.onnx cannot become .*it cannot be read"
    ):
        read_module(tmp_path / "text.onnx", 2)
    with pytest.raises(InputError, match="does not exist"):
        read_module(tmp_path / "none.onnx", 2)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.onnx")), ids=lambda path: path.stem)
def test_shared_cases_are_read_or_refused(path: Path, agrees: Same) -> None:
    """Each equals ONNX Runtime, or is refused."""
    batch = onnx.load(str(path), load_external_data=False).graph.input[0].type.tensor_type.shape
    with contextlib.suppress(UnsupportedGraphError):
        agrees(path, batch.dim[0].dim_value or 2)
