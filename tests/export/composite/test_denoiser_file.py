"""Denoisers as strangers' ONNX files: bound inputs, layouts, batches, opsets, and refusals."""

from pathlib import Path
from typing import Any

import denoisers
import numpy as np
import onnx
import onnx.helper
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.composite.compose import compose
from smoothcert.export.composite.options import DenoiserOptions
from smoothcert.export.composite.report import CompositeReport

SHAPE = (3, 6, 6)
IMAGES = torch.zeros(2, *SHAPE)


@pytest.fixture
def classifier(model: Path) -> Model:
    return open_onnx(model)


def composed(classifier: Model, denoiser: Path, **options: Any) -> CompositeReport:
    """The composite, whose votes are those of its parts run one after the other."""
    asked = DenoiserOptions(str(denoiser), **{"sigma": 0.25, **options})
    report = compose(classifier, denoiser.parent / "composite.onnx", asked)
    assert report.parity.disagreements == 0
    assert report.model.spec.shape == SHAPE
    return report


def refused(classifier: Model, denoiser: Path, words: str, **options: Any) -> None:
    with pytest.raises(InputError, match=words) as caught:
        composed(classifier, denoiser, **options)
    assert "\n" not in str(caught.value)
    assert not (denoiser.parent / "composite.onnx").exists()


@pytest.mark.parametrize(("opset", "composite"), [(9, 18), (13, 18), (20, 20)])
def test_networks_of_other_opsets(
    classifier: Model, tmp_path: Path, opset: int, composite: int
) -> None:
    path = denoisers.write_denoiser(
        denoisers.residual(), tmp_path / "d.onnx", IMAGES, opset=min(opset, 17)
    )
    if opset > 17:
        onnx.save(onnx.version_converter.convert_version(onnx.load(str(path)), opset), str(path))
    report = composed(classifier, path)
    assert report.model.metadata["opset"] == composite
    assert report.model.metadata["denoiser"]["name"] == "d.onnx"


def test_a_fixed_batch_is_opened(classifier: Model, tmp_path: Path) -> None:
    path = denoisers.write_denoiser(
        denoisers.residual(), tmp_path / "d.onnx", IMAGES[:1], open_batch=False
    )
    report = composed(classifier, path)
    assert report.model.batch == "N"
    assert "batch fixed at 1: opened" in " ".join(report.said)


@pytest.mark.parametrize("name", ["t", "timestep", "inner_model/t:0"])
@pytest.mark.parametrize("kind", [torch.int64, torch.float32])
def test_a_timestep_is_bound(
    classifier: Model, tmp_path: Path, name: str, kind: torch.dtype
) -> None:
    time = torch.zeros(2, dtype=kind)
    path = denoisers.write_denoiser(
        denoisers.epsilon(), tmp_path / "d.onnx", IMAGES, time, names=("sample", name)
    )
    report = composed(classifier, path, diffusion="linear")
    assert report.model.metadata["denoiser"]["told"] == {name: 144}
    refused_without = tmp_path / "again"
    refused_without.mkdir()
    refused(classifier, path.rename(refused_without / "d.onnx"), "give --diffusion linear")


@pytest.mark.parametrize("shape", [(), (1,), (2,), (2, 1), (2, 1, 1, 1), (2, 1, 6, 6)])
@pytest.mark.parametrize("name", ["sigma", "noise_level"])
def test_a_noise_level_is_bound(
    classifier: Model, tmp_path: Path, shape: tuple[int, ...], name: str
) -> None:
    """A number, one for each image, or a map of as many pixels."""

    class Told(nn.Module):
        def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            level = sigma.reshape(-1, 1, 1, 1) if len(shape) < 4 else sigma
            return x * (1 - level)

    path = tmp_path / "d.onnx"
    rows = {0: "batch"}
    torch.onnx.export(
        Told(), (IMAGES, torch.ones(shape)), str(path), input_names=["x", name],
        output_names=["y"], opset_version=17, dynamo=False,
        dynamic_axes={"x": rows, "y": rows, **({name: rows} if shape[:1] == (2,) else {})},
    )  # fmt: skip
    report = composed(classifier, path, range=(-1.0, 1.0))
    assert report.model.metadata["denoiser"]["told"] == {name: 0.5}
    assert [value.name for value in onnx.load(str(report.path)).graph.input] == ["input"]


def graph(
    path: Path, nodes: list[Any], weights: dict[str, Any] | None = None, **shapes: Any
) -> Path:
    """Write a graph x -> y by hand."""
    values = {
        name: onnx.helper.make_tensor_value_info(name, shapes.get("kind", TensorProto.FLOAT), shape)
        for name, shape in {"x": ["N", *SHAPE], "y": None, **shapes}.items()
        if name != "kind"
    }
    made = onnx.helper.make_graph(
        nodes, "denoiser", [v for n, v in values.items() if n[0] == "x"],
        [v for n, v in values.items() if n[0] == "y"],
        [numpy_helper.from_array(v, n) for n, v in (weights or {}).items()],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(made, opset_imports=opsets, ir_version=8), str(path))
    return path


def node(operator: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    return onnx.helper.make_node(operator, inputs.split(), [output], **attributes)


@pytest.mark.parametrize("sides", [(6, 6), ("height", "width")])
def test_channels_last(classifier: Model, tmp_path: Path, sides: tuple[Any, Any]) -> None:
    weight = {"w": np.array([0.2, 0.5, 0.9], np.float32)}  # of channels
    path = graph(tmp_path / "d.onnx", [node("Mul", "x w")], weight, x=["N", *sides, 3])
    composed(classifier, path)


def test_a_branch_keeps_to_its_own_names(classifier: Model, tmp_path: Path) -> None:
    """A subgraph that reads what is around it, with names that the classifier has too."""
    branches = {
        f"{name}_branch": onnx.helper.make_graph(
            [node("Mul", "x weight", "logits")], name, [],
            [onnx.helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        )
        for name in ("then", "else")
    }  # fmt: skip
    weights = {"yes": np.array(True), "weight": np.float32(0.5).reshape(1)}
    composed(classifier, graph(tmp_path / "d.onnx", [node("If", "yes", **branches)], weights))


def test_external_data_and_weights_among_the_inputs(classifier: Model, tmp_path: Path) -> None:
    path = denoisers.write_denoiser(denoisers.residual(), tmp_path / "d.onnx", IMAGES)
    model = onnx.load(str(path))
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims)
        for t in model.graph.initializer
    )
    onnx.save(model, str(path), save_as_external_data=True, location="d.data", size_threshold=0)
    report = composed(classifier, path)
    (tmp_path / "d.data").unlink()
    assert len(open_onnx(report.path).metadata["denoiser"]["sha256"]) == 64
    report.path.unlink()
    refused(classifier, path, "d.data, which is missing beside it")


def test_noise_is_refused_by_the_name_of_its_node(classifier: Model, tmp_path: Path) -> None:
    nodes = [node("RandomNormalLike", "x", "z", name="draws"), node("Add", "x z")]
    path = graph(tmp_path / "d.onnx", nodes)
    refused(classifier, path, r"node 'draws' \(RandomNormalLike\).*use one deterministic step")
    silent = [*nodes[:1], node("Mul", "z zero", "n"), node("Add", "x n")]
    path = graph(tmp_path / "d.onnx", silent, {"zero": np.zeros(1, np.float32)})
    refused(classifier, path, r"node 'draws' \(RandomNormalLike\).*use one deterministic step")


@pytest.mark.parametrize(
    ("nodes", "shapes", "words"),
    [
        ([node("Identity", "x")], {"kind": TensorProto.FLOAT16}, "takes float16.*float32"),
        ([node("Add", "x x2")], {"x2": ["N", *SHAPE]}, "has the inputs"),
        ([node("Add", "x xlabel")], {"xlabel": [1]}, "takes 'xlabel' beside the images"),
        ([node("Identity", "x"), node("Neg", "x", "y2")], {"y2": None}, "has the outputs"),
        ([node("Flatten", "x")], {}, r"returns \[2, 108\] for images"),
        ([node("Identity", "x")], {"x": ["N", 3, 7, 6]}, "sides of the same ratio"),
        ([node("Identity", "x")], {"x": ["N", 1, 6, 6]}, "expected as many channels"),
        ([node("ReduceMean", "x", axes=[0])], {}, r"returns \[1, 3, 6, 6\]"),
    ],
)
def test_what_is_no_denoiser_is_refused(
    classifier: Model, tmp_path: Path, nodes: list[Any], shapes: dict[str, Any], words: str
) -> None:
    refused(classifier, graph(tmp_path / "d.onnx", nodes, **shapes), words)


def test_another_shape_than_the_files_is_refused(classifier: Model, tmp_path: Path) -> None:
    path = graph(tmp_path / "d.onnx", [node("Identity", "x")])
    refused(classifier, path, "leave --denoiser-shape out", shape=(3, 8, 8))
    composed(classifier, path, shape=SHAPE)


def test_other_files_are_refused_by_what_they_are(classifier: Model, tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    refused(classifier, path, "does not exist")
    torch.save(denoisers.residual().state_dict(), path)
    refused(classifier, path, "a torch checkpoint: .*pkg.module:factory")
    torch.jit.save(torch.jit.trace(denoisers.residual().eval(), IMAGES), str(path))  # type: ignore[no-untyped-call]
    refused(classifier, path, "TorchScript.*pkg.module:factory")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    refused(classifier, path, "denoiser .* is an HDF5 file")
    path.write_bytes(b"not a model at all, of any kind")
    refused(classifier, path, "expected")
