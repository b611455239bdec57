"""What doctor says of model files: their facts, what is inferred, what helps, what to type."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from doctored import doctor, typed
from foreign_models import CLASSES, classifier, images, node, value


def test_an_ordinary_file_says_all_of_itself(tmp_path: Path) -> None:
    model = classifier(tmp_path / "a model.onnx")
    found = doctor(model)
    assert found.status == 0
    assert found.states("model") == ["an ONNX model"]
    assert "opset 17, IR version 8" in found.notes("written by")[0]
    assert found.states("parameters") == ["20"]
    assert found.notes("input") == ["x float32 [N, 3, 8, 8]"]
    assert found.states("takes") == ["3x8x8"]
    assert found.states("classes") == ["5"]
    assert found.states("row independence") == ["proven"]
    assert found.states("pixels") == ["not recorded"]
    assert "onnxruntime" in found.states("runs on")[0]
    assert found.commands[-1] == [
        *("smoothcert", "certify", str(model), "SOURCE", "out.tsv", "--sigma", "0.25"),
    ]


def test_weights_in_nodes_are_counted(tmp_path: Path) -> None:
    """As Paddle's converter writes them, and in the branches of an If."""
    seven = onnx.numpy_helper.from_array(np.zeros(7, np.float32))
    inner = onnx.helper.make_graph(
        [node("Constant", [], ["c"], value=seven)], "branch", [], [value("c", [7])],
        [onnx.numpy_helper.from_array(np.zeros(2, np.float16), "h")],
    )  # fmt: skip
    model = classifier(
        tmp_path / "m.onnx",
        before=[
            node("Constant", [], ["unused"], value=seven),
            node("Constant", [], ["yes"], value=onnx.numpy_helper.from_array(np.array(True))),
            node("If", ["yes"], ["either"], then_branch=inner, else_branch=inner),
        ],
    )
    found = doctor(model)
    assert found.states("parameters") == [str(20 + 7 + 1 + 2 * (7 + 2))]
    assert "bytes of bool, float16, float32" in found.notes("parameters")[0]


def test_the_command_works_as_it_is_typed(tmp_path: Path) -> None:
    """With the option that the file needs, and a name that a shell would split."""
    model = classifier(
        tmp_path / "one output.onnx",
        classes=2,
        after=[node("Softmax", ["y"], ["p"]), node("Slice", ["p", "1", "2", "1"], ["s"])],
        tensors={"1": np.array([1]), "2": np.array([2])},
        outputs=[value("s", ["N", 1])],
    )
    found = doctor(model)
    assert found.status == 0
    assert "--threshold" in found.notes("as it stands")[0]
    assert found.states("option") == ["--threshold 0.5", "--threshold 0"]
    certify = next(words for words in found.commands if words[1] == "certify")
    source = images(tmp_path / "im.npz", classes=2)
    said = typed(certify, tmp_path, "--n", "50", "--max", "2", "--batch", "64", files=[source])
    assert "above 0.5 is class 1" in said


def test_a_sigmoid_wants_the_threshold_of_probabilities(tmp_path: Path) -> None:
    model = classifier(
        tmp_path / "m.onnx",
        classes=1,
        after=[node("Sigmoid", ["y"], ["p"])],
        outputs=[value("p", ["N", 1])],
    )
    found = doctor(model)
    assert found.states("option") == ["--threshold 0.5"]
    assert found.states("classes") == ["2"]
    export = next(words for words in found.commands if words[1] == "export")
    typed(export, tmp_path)
    assert doctor(tmp_path / "model.onnx").states("pixels") == ["recorded"]


def test_open_sides_are_shown_what_would_fill_them(tmp_path: Path) -> None:
    model = classifier(tmp_path / "m.onnx", inputs=[value("x", ["n", "c", "h", "w"])])
    found = doctor(model)
    assert found.status == 0
    assert found.states("option")[0] == "--input-shape 3,224,224"
    assert found.commands[0][:2] == ["smoothcert", "doctor"]
    assert found.commands[-1][-2] == "--input-shape"


def test_two_outputs_are_the_users_choice(tmp_path: Path) -> None:
    model = classifier(
        tmp_path / "m.onnx", outputs=[value("g", ["N", 3, 1, 1]), value("y", ["N", CLASSES])]
    )
    found = doctor(model)
    assert found.states("option") == ["--logits g", "--logits y"]
    assert [words[-1] for words in found.commands if words[1] == "certify"] == ["g", "y"]
    found = doctor(model, "--logits", "y")
    assert found.states("classes") == ["5"]
    assert found.commands[-2][-2:] == ["--logits", "y"]


def test_what_is_inferred_is_shown(tmp_path: Path) -> None:
    model = classifier(
        tmp_path / "m.onnx",
        inputs=[value("x", ["N", 8, 8, 3])],
        before=[node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])],
        last="t",
    )
    said = doctor(model).notes("taken for granted")
    assert any("channels last" in sentence for sentence in said)


def test_whole_pixels_say_their_range(tmp_path: Path) -> None:
    model = classifier(
        tmp_path / "m.onnx",
        inputs=[value("x", ["N", 3, 8, 8], onnx.TensorProto.UINT8)],
        before=[node("Cast", ["x"], ["t"], to=onnx.TensorProto.FLOAT)],
        last="t",
    )
    found = doctor(model)
    assert found.states("pixels") == ["recorded"]
    assert found.notes("pixels")[0].startswith("0..255 become 0..255")


def test_rows_that_are_mixed_cannot_be_certified(tmp_path: Path) -> None:
    model = classifier(
        tmp_path / "m.onnx",
        before=[
            node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1, name="bm"),
            node("Sub", ["x", "mean"], ["t"]),
        ],
        last="t",
    )
    found = doctor(model)
    assert found.status == 1
    assert "'bm' (ReduceMean)" in found.notes("as it stands")[0]
    assert found.commands == []


def test_dynamic_quantisation_runs_row_by_row(tmp_path: Path) -> None:
    model = classifier(
        tmp_path / "m.onnx",
        before=[
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("DequantizeLinear", ["q", "s", "z"], ["t"]),
        ],
        last="t",
    )
    found = doctor(model)
    assert found.status == 0
    assert found.states("option") == ["--batch 1"]
    assert found.commands[-1][-2:] == ["--batch", "1"]


def test_logits_that_say_nothing_are_told(tmp_path: Path) -> None:
    constant = classifier(tmp_path / "c.onnx", tensors={"W": np.zeros((CLASSES, 3), np.float32)})
    assert "the same for every image" in doctor(constant).notes("logits")[0]
    endless = classifier(tmp_path / "n.onnx", bias=np.full(CLASSES, np.nan, np.float32))
    assert "not finite" in doctor(endless).notes("logits")[0]
    soft = classifier(
        tmp_path / "s.onnx",
        after=[node("Softmax", ["y"], ["p"])],
        outputs=[value("p", ["N", CLASSES])],
    )
    assert "probabilities" in doctor(soft).notes("logits")[0]


def test_a_shape_that_reminds_of_a_dataset_is_a_hint(tmp_path: Path) -> None:
    model = classifier(tmp_path / "m.onnx", classes=10, inputs=[value("x", ["N", 3, 32, 32])])
    found = doctor(model)
    assert found.states("cifar10?") == ["hint"]
    assert "--mean 0.4914,0.4822,0.4465" in found.notes("cifar10?")[0]
    assert "--mean" not in found.commands[-1]


def test_a_file_of_ours_says_its_normalisation(tmp_path: Path) -> None:
    """As the command writes it that the diagnosis of the foreign file ends with."""
    given = ("--mean", "0.5,0.4,0.3", "--std", "0.2,0.2,0.1")
    found = doctor(classifier(tmp_path / "m.onnx"), *given)
    assert found.states("pixels") == ["recorded"]
    export = next(words for words in found.commands if words[1] == "export")
    typed(export, tmp_path)
    found = doctor(tmp_path / "model.onnx")
    assert found.states("pixels") == ["recorded"]
    assert "mean 0.5,0.4,0.3, std 0.2,0.2,0.1" in found.notes("pixels")[0]
    assert found.commands[-1][-2:] == ["--sigma", "0.25"]


def test_weights_beside_the_file_are_missed(tmp_path: Path) -> None:
    model = onnx.load(str(classifier(tmp_path / "m.onnx")))
    onnx.save(
        model, str(tmp_path / "m.onnx"), save_as_external_data=True, location="m.data",
        size_threshold=0,
    )  # fmt: skip
    assert doctor(tmp_path / "m.onnx").status == 0
    (tmp_path / "m.data").unlink()
    found = doctor(tmp_path / "m.onnx")
    assert found.status == 1
    assert "m.data" in found.notes("weights")[0]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("m.onnx", b"", "an empty file"),
        ("m.onnx", b"\x00\x01" * 500, "a file of no kind that is known here"),
        ("m.onnx", b"<!DOCTYPE html><html></html>", "an HTML page"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer"),
        ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(600), "an HDF5 file, as Keras writes"),
        ("m.pth", b"PK\x03\x04 cut", "the beginning of a zip archive"),
        ("m.pkl", b"\x80\x04cposix\nsystem\n", "a Python pickle"),
    ],
)  # fmt: skip
def test_what_is_no_model_says_what_it_is(
    tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = doctor(tmp_path / name)
    assert found.status == 1
    assert found.states("model") == [kind]
    assert kind in found.notes("as it stands")[0]


def test_ir_of_openvino_is_run_by_it_alone(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    network = openvino.convert_model(str(classifier(tmp_path / "m.onnx")))
    openvino.save_model(network, str(tmp_path / "ir" / "openvino_model.xml"))
    for path in (tmp_path / "ir", tmp_path / "ir" / "openvino_model.xml"):
        found = doctor(path)
        assert found.status == 0
        assert found.states("takes") == ["3x8x8"]
        assert found.states("pixels") == ["not recorded"]
        assert [name.partition(" ")[0] for name in found.states("runs on")] == ["openvino"]
    (tmp_path / "ir" / "openvino_model.bin").unlink()
    assert "openvino_model.bin is missing" in doctor(tmp_path / "ir").notes("as it stands")[0]


@pytest.mark.parametrize("kept", [10, 100, 250])
def test_a_cut_file_is_no_traceback(tmp_path: Path, kept: int) -> None:
    model = classifier(tmp_path / "m.onnx")
    model.write_bytes(model.read_bytes()[:kept])
    assert doctor(model).status == 1
