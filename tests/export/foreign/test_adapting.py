"""Opening a foreign file: itself where nothing is to be done, else one written from it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from foreign_models import SHAPE, classifier, node, value

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.models.model import Model
from smoothcert.export.foreign.adapting import open_foreign
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions

NHWC: dict[str, Any] = {
    "inputs": [value("x", ["N", 8, 8, 3])],
    "before": [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])],
    "last": "t",
}


def opened(path: Path, **options: Any) -> Model:
    return open_foreign(path, ModelOptions(**options))


def test_a_canonical_file_is_opened_itself(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx")
    model = opened(path)
    assert (model.path, model.origin, model.metadata) == (path, None, {})
    assert model.said == ("no preprocessing recorded: [0,1] pixels",)


def test_another_is_written_once_and_is_the_users_file_by_name(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", **NHWC)
    model = opened(path)
    assert model.given == path
    assert model.path != path
    assert model.given_sha256 == file_digest(path)
    assert model.describe() == {
        "name": "m.onnx",
        "sha256": file_digest(path),
        "classes": 5,
        "arch": None,
        "precision": "fp32",
        "input_shape": [3, 8, 8],
        "mean": (),
        "std": (),
        "resize": None,
        "interpolation": "bilinear",
        "adapted": {"layout": "nhwc"},
    }
    written = model.path.stat().st_mtime_ns
    again = opened(path)
    assert again.path.stat().st_mtime_ns == written
    assert (again.said, again.describe()) == (model.said, model.describe())
    assert opened(path, mean=(0.5,) * 3).path != model.path


def test_the_same_file_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = classifier(tmp_path / "m.onnx", **NHWC)
    first = opened(path).path.read_bytes()
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "other"))
    assert opened(path).path.read_bytes() == first


def test_an_adapted_file_is_a_model_of_ours(tmp_path: Path) -> None:
    """It is opened as any export is, and what stands in its metadata is not said again."""
    path = classifier(tmp_path / "m.onnx", **NHWC)
    adapted = opened(path, mean=(0.5,) * 3, std=(0.25,) * 3)
    model = opened(adapted.path)
    assert (model.origin, model.said, model.spec) == (None, (), adapted.spec)
    agreeing = {"layout": "nhwc", "mean": (0.5,) * 3, "input_shape": SHAPE}
    assert opened(adapted.path, **agreeing).path == adapted.path
    graph = onnx.load(str(adapted.path)).graph
    assert [each.name for each in (*graph.input, *graph.output)] == ["input", "logits"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"mean": (0.4,) * 3},
            r"--mean 0.4,0.4,0.4 contradicts model .*: expected the same; leave",
        ),
        ({"std": (0.2,) * 3}, "--std 0.2,0.2,0.2 contradicts"),
        ({"input_range": (0.0, 1.0)}, "--input-range 0,1 contradicts"),
        ({"input_shape": (3, 9, 9)}, "--input-shape 3,9,9 contradicts"),
        ({"resize": 9}, "--resize 9 contradicts .* say none"),
        ({"interpolation": "bicubic"}, "--interpolation bicubic contradicts .* bilinear"),
        ({"logits": "z"}, "--logits z contradicts .* logits"),
        ({"threshold": 0.5}, "--threshold 0.5 contradicts .* none"),
    ],
)
def test_options_that_the_metadata_contradict_are_refused(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    said = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    path = opened(classifier(tmp_path / "m.onnx", **NHWC), **said).path
    with pytest.raises(InputError, match=words):
        opened(path, **options)


def test_a_fixed_batch_that_stays_is_found_out_once(tmp_path: Path) -> None:
    """The mean of the batch is read: nothing about the file changes, and the reason is kept."""
    mean = [
        node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1),
        node("Sub", ["x", "m"], ["c"]),
        node("Add", ["c", "x"], ["d"]),
    ]
    path = classifier(
        tmp_path / "m.onnx", inputs=[value("x", [1, *SHAPE])], before=mean, last="d",
        outputs=[value("y", [1, 5])],
    )  # fmt: skip
    model = opened(path)
    assert (model.path, model.batch, model.origin) == (path, 1, None)
    assert model.said[-1].startswith("batch fixed at 1: kept, since node 'm' (ReduceMean)")
    assert opened(path).said == model.said


def test_external_data_come_along(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", **NHWC)
    whole = opened(path)
    outside = tmp_path / "outside" / "m.onnx"
    outside.parent.mkdir()
    onnx.save(
        onnx.load(str(path)), str(outside), save_as_external_data=True, location="w.bin",
        size_threshold=0,
    )  # fmt: skip
    model = opened(outside)
    tensors = {
        t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(str(model.path)).graph.initializer
    }
    expected = onnx.load(str(whole.path)).graph.initializer
    for tensor in expected:
        np.testing.assert_array_equal(tensors[tensor.name], onnx.numpy_helper.to_array(tensor))
    assert model.given_sha256 == file_digest(outside, outside.with_name("w.bin"))
    outside.with_name("w.bin").unlink()
    with pytest.raises(
        InputError, match=r"keeps its weights in w\.bin, which is missing beside it"
    ):
        opened(outside)


def test_nodes_that_the_logits_do_not_need_are_left_out(tmp_path: Path) -> None:
    """What nobody reads may be random, and have the largest weights."""
    path = classifier(
        tmp_path / "m.onnx",
        before=[node("RandomNormalLike", ["x"], ["r"]), node("Add", ["r", "big"], ["features"])],
        tensors={"big": np.zeros((1, 3, 8, 8), np.float32)},
        outputs=[value("features", ["N", *SHAPE]), value("y", ["N", 5])],
    )
    graph = onnx.load(str(opened(path).path)).graph
    assert [each.op_type for each in graph.node] == ["GlobalAveragePool", "Flatten", "Gemm"]
    assert {tensor.name for tensor in graph.initializer} == {"W", "B"}


def test_a_model_of_several_inputs_is_refused_by_their_names(tmp_path: Path) -> None:
    inputs = [value("x", ["N", *SHAPE]), value("mask", [1, 3, 1, 1])]
    before = [node("Mul", ["x", "mask"], ["t"])]
    path = classifier(tmp_path / "m.onnx", inputs=inputs, before=before, last="t")
    with pytest.raises(InputError, match=r"2 inputs, x \[N, 3, 8, 8\]; mask \[1, 3, 1, 1\]: exp"):
        opened(path)


def test_outputs_of_unknown_shape_are_found_by_running_once(tmp_path: Path) -> None:
    path = classifier(
        tmp_path / "m.onnx", **NHWC,
        after=[node("Shape", ["y"], ["s"]), node("Reshape", ["y", "s"], ["z"])],
        outputs=[value("z", None)],
    )  # fmt: skip
    assert opened(path).num_classes == 5


@pytest.mark.parametrize("last", ["M", None])
def test_more_rows_than_images_are_no_logits(last: str | None, tmp_path: Path) -> None:
    """Two of each, of which no name and no number tells."""
    path = classifier(
        tmp_path / "m.onnx",
        after=[node("Concat", ["y", "y"], ["z"], axis=0)],
        outputs=[value("z", [last, 5])],
    )
    with pytest.raises(InputError, match=r"returns z \[4, 5\]: .* K classes for each image"):
        opened(path)


def test_a_side_of_the_batch_that_is_not_true_is_no_matter(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", outputs=[value("y", [1, 5])])
    assert (opened(path).path, opened(path).batch) == (path, "N")


def test_a_layout_that_does_not_run_is_refused_in_one_line(tmp_path: Path) -> None:
    path = classifier(
        tmp_path / "m.onnx",
        inputs=[value("x", ["a", "b", "c", "d"])],
        before=[node("Reshape", ["x", "s"], ["r"])],
        last="r",
        tensors={"s": np.array([-1, 3, 7, 7])},
        outputs=[value("y", ["a", "k"])],
    )
    with pytest.raises(InputError, match=r"does not run on images \[3, 8, 8\]") as caught:
        opened(path, input_shape=SHAPE)
    assert "\n" not in str(caught.value)
    assert ".cc" not in str(caught.value)


def test_a_damaged_cache_is_written_anew(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", **NHWC)
    entry = open_foreign(path, NOTHING_SAID).path
    whole = entry.read_bytes()
    for other in (b"", whole[:99], classifier(tmp_path / "other.onnx").read_bytes()):
        entry.write_bytes(other)
        assert opened(path).path == entry
        assert entry.read_bytes() == whole
