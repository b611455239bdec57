"""`export foreign.onnx`: the adapted file, compared with the given one, and smaller ones of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from foreign_models import SHAPE, certified, classifier, images, node, value
from onnx import TensorProto

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.foreign import exporting
from smoothcert.export.foreign.adapting import adapted_file
from smoothcert.export.foreign.exporting import ForeignExport, export_onnx
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions
from smoothcert.export.precision.reduce import Reduction

TO_NCHW = node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])


@pytest.fixture
def channels_last(tmp_path: Path) -> Path:
    inputs = [value("x", ["N", 8, 8, 3])]
    return classifier(tmp_path / "m.onnx", inputs=inputs, before=[TO_NCHW], last="t")


def exported(
    path: Path, out: Path, reduction: Reduction | None = None, **options: Any
) -> ForeignExport:
    return export_onnx(path, out, ModelOptions(**options), reduction)


def test_what_is_exported_is_what_certify_adapts(channels_last: Path, tmp_path: Path) -> None:
    report = exported(channels_last, tmp_path / "out.onnx", input_range=(-1.0, 1.0))
    assert report.parity is not None
    assert (report.parity.samples, report.parity.disagreements) == (64, 0)
    lines = report.lines()
    assert lines[0] == f"{tmp_path / 'out.onnx'}: 5 classes, input (3, 8, 8)"
    assert "input x [N, 8, 8, 3]: channels last" in lines
    assert any(line.startswith("parity on 64 noisy images: 0 votes differ") for line in lines)
    assert not any("\n" in line for line in lines)
    source = images(tmp_path / "images.npz")
    found = certified(tmp_path / "out.onnx", source, tmp_path / "a.tsv")
    given = {"input_range": (-1.0, 1.0)}
    assert found == certified(channels_last, source, tmp_path / "b.tsv", **given)


@pytest.mark.parametrize(
    "given",
    [
        {"inputs": [value("x", ["N", *SHAPE], TensorProto.UINT8)],
         "before": [node("Cast", ["x"], ["t"], to=1)], "last": "t"},
        {"inputs": [value("x", [3, *SHAPE])], "outputs": [value("y", [3, 5])]},
        {"classes": 1, "outputs": [value("y", ["N", 1])]},
        {"before": [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                    node("DequantizeLinear", ["q", "s", "z"], ["t"])], "last": "t"},
    ],
)  # fmt: skip
def test_the_given_file_is_run_as_it_takes_and_returns(
    given: dict[str, Any], tmp_path: Path
) -> None:
    path = classifier(tmp_path / "m.onnx", **given)
    threshold = 0.0 if given.get("classes") == 1 else None
    report = exported(path, tmp_path / "out.onnx", threshold=threshold)
    assert report.parity is not None
    assert report.parity.disagreements == 0
    assert report.parity.scale > 0


def test_another_function_is_not_written(
    channels_last: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison itself: with the file of other weights in its place, nothing is left."""
    other = classifier(tmp_path / "other.onnx", bias=np.arange(5, dtype=np.float32))
    content = other.read_bytes()
    honest = adapted_file

    def swapped(*arguments: Any) -> Any:
        file = honest(*arguments)
        model = onnx.ModelProto.FromString(content)
        model.metadata_props.extend(onnx.ModelProto.FromString(file.content).metadata_props)
        return replace(file, content=model.SerializeToString())

    monkeypatch.setattr(exporting, "adapted_file", swapped)
    with pytest.raises(InputError, match="logits differ by up to"):
        exported(channels_last, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_what_mixes_rows_or_draws_is_refused_by_its_node(tmp_path: Path) -> None:
    noise = [node("RandomNormalLike", ["x"], ["r"], name="noise"), node("Add", ["x", "r"], ["t"])]
    path = classifier(tmp_path / "m.onnx", before=noise, last="t")
    with pytest.raises(InputError, match=r"m\.onnx, node 'noise' \(RandomNormalLike\)"):
        exported(path, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_file_of_ours_is_not_exported_again(channels_last: Path, tmp_path: Path) -> None:
    own = exported(channels_last, tmp_path / "own.onnx").model.path
    with pytest.raises(InputError, match="has its preprocessing in its metadata already"):
        exported(own, tmp_path / "out.onnx")
    half = exported(own, tmp_path / "half.onnx", Reduction("fp16"))
    assert half.model.precision == "fp16"
    with pytest.raises(InputError, match="is of precision fp16: expected float32"):
        exported(tmp_path / "half.onnx", tmp_path / "out.onnx", Reduction("fp16"))


def convolutional(path: Path, opset: int = 17) -> Path:
    """Channels last, with a layer that is worth to quantise, and nameless nodes."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32) / 5
    before = [
        TO_NCHW,
        node("Conv", ["t", "k"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
    ]
    inputs = [value("x", ["N", 8, 8, 3])]
    return classifier(
        path, inputs=inputs, before=before, last="r", tensors={"k": kernel}, opset=opset
    )


def test_a_foreign_model_is_quantised_from_floats(tmp_path: Path) -> None:
    """What the refusal of a dynamically quantised model advises."""
    source = images(tmp_path / "images.npz")
    reduction = Reduction("int8", str(source), 0.25, images=6, max_zeta=0.4)
    report = exported(convolutional(tmp_path / "m.onnx"), tmp_path / "int8.onnx", reduction)
    assert report.reduced is not None
    assert any(line.startswith("int8 against fp32 on 192 noisy images") for line in report.lines())
    model = open_onnx(tmp_path / "int8.onnx")
    assert (model.precision, model.metadata["adapted"]) == ("int8", {"layout": "nhwc"})
    operators = {each.op_type for each in onnx.load(str(tmp_path / "int8.onnx")).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda p: convolutional(p, opset=11), "is of opset 11: expected 13 or newer"),
        (
            lambda p: classifier(
                p, inputs=[value("x", [1, *SHAPE])], outputs=[value("y", [1, 5])],
                before=[node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1),
                        node("Sub", ["x", "m"], ["t"])], last="t",
            ),
            "has its batch fixed at 1: expected an open one",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_quantised_is_refused(write: Any, words: str, tmp_path: Path) -> None:
    source = images(tmp_path / "images.npz")
    reduction = Reduction("int8", str(source), 0.25, images=6)
    with pytest.raises(InputError, match=words):
        export_onnx(write(tmp_path / "m.onnx"), tmp_path / "o.onnx", NOTHING_SAID, reduction)
    assert not (tmp_path / "o.onnx").exists()
