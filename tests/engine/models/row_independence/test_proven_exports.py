"""What exporters and quantisers write of real networks."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.row_independence.proof import prove
from smoothcert.export.architectures import architecture
from smoothcert.export.onnx_model import write_onnx

pytest.importorskip("torch")


class Noise(CalibrationDataReader):  # type: ignore[misc]
    """Two batches to calibrate by."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        rng = np.random.default_rng(0)
        self._batches = [{name: rng.random((2, *shape), dtype=np.float32)} for _ in range(2)]

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        return self._batches.pop() if self._batches else None


@pytest.mark.parametrize("name", ["demo", "resnet20"])
def test_our_exports_are_proven(networks: dict[str, Model], name: str) -> None:
    model = networks[name]
    assert prove(model.path, model.spec.shape).describe() == ""
    assert prove(model.path, model.spec.shape).verdict == "proven"


def test_an_imagenet_network_is_proven(tmp_path: Path) -> None:
    path, spec = tmp_path / "resnet18.onnx", InputSpec(3, 64, 64)
    module = architecture("resnet18", 10, spec.shape)
    write_onnx(module, spec, 10, path, {"arch": "resnet18"})
    assert prove(path, spec.shape).verdict == "proven"


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_static_quantisation_is_proven(
    networks: dict[str, Model], tmp_path: Path, form: QuantFormat
) -> None:
    model, path = networks["resnet20"], tmp_path / "int8.onnx"
    name = onnx.load(str(model.path)).graph.input[0].name
    reader = Noise(name, model.spec.shape)
    quantize_static(str(model.path), str(path), reader, quant_format=form, per_channel=True)
    nodes = {node.op_type for node in onnx.load(str(path)).graph.node}
    assert ("QLinearConv" if form is QuantFormat.QOperator else "DequantizeLinear") in nodes
    assert prove(path, model.spec.shape).verdict == "proven"


def test_dynamic_quantisation_is_refused(networks: dict[str, Model], tmp_path: Path) -> None:
    model, path = networks["resnet20"], tmp_path / "dynamic.onnx"
    quantize_dynamic(str(model.path), str(path), weight_type=QuantType.QUInt8)
    proof = prove(path, model.spec.shape)
    assert (proof.verdict, proof.kind) == ("refused", "dynamic quantisation")
    assert proof.operator == "DynamicQuantizeLinear"
    assert prove(path, model.spec.shape, batch=1).verdict == "proven"


def test_one_node_that_mixes_is_found_in_a_real_network(
    networks: dict[str, Model], tmp_path: Path
) -> None:
    """The logits, less the mean of the whole batch's."""
    model, path = networks["demo"], tmp_path / "centred.onnx"
    changed = onnx.load(str(model.path))
    logits = changed.graph.output[0].name
    (last,) = (node for node in changed.graph.node if logits in node.output)
    last.output[list(last.output).index(logits)] = "uncentred"
    changed.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["uncentred"], ["mean"], name="centre"),
            helper.make_node("Sub", ["uncentred", "mean"], [logits]),
        ]
    )
    onnx.save(changed, str(path))
    proof = prove(path, model.spec.shape)
    assert (proof.verdict, proof.kind, proof.node) == ("refused", "mixing", "centre")
