"""A foreign model certifies what its canonical twin does: the same rows of the log by one seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from foreign_models import SHAPE, certified, classifier, images, node, value
from onnx import TensorProto as T

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest

Case = Callable[[Path], Path]

NHWC: list[int | str | None] = ["N", 8, 8, 3]
TO_NCHW = node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])
CAST = node("Cast", ["x"], ["c"], to=T.FLOAT)


def plain(path: Path) -> Path:
    """The twin of most."""
    return classifier(path)


def clipped(path: Path) -> Path:
    """The twin of uint8 inputs, behind --input-range 0,255."""
    bounds = {"low": np.array(0, np.float32), "high": np.array(255, np.float32)}
    clip = node("Clip", ["x", "low", "high"], ["c"])
    return classifier(path, before=[clip], last="c", tensors=bounds)


def reshaped(path: Path, shape: list[int]) -> Path:
    """Logits of another shape than [N, K]."""
    after = [node("Reshape", ["y", "s"], ["q"])]
    tensors = {"s": np.array([-1, *shape], np.int64)}
    return classifier(path, after=after, tensors=tensors, outputs=[value("q", ["N", *shape])])


def of_type(path: Path, kind: int, shape: list[Any] | None = None) -> Path:
    """An input of another type, cast inside."""
    return classifier(
        path, inputs=[value("x", shape or ["N", *SHAPE], kind)], before=[CAST], last="c"
    )


def uint8_channels_last(path: Path) -> Path:
    transpose = node("Transpose", ["c"], ["t"], perm=[0, 3, 1, 2])
    return classifier(path, inputs=[value("x", NHWC, T.UINT8)], before=[CAST, transpose], last="t")


def named_like_ours(path: Path) -> Path:
    """Its tensors have the names of the canonical ends, elsewhere."""
    before = [
        node("Cast", ["logits"], ["c"], to=T.FLOAT),
        node("Transpose", ["c"], ["input"], perm=[0, 3, 1, 2]),
    ]
    return classifier(
        path,
        inputs=[value("logits", NHWC, T.DOUBLE)],
        before=before,
        last="input",
        after=[node("Identity", ["y"], ["smoothcert_cast"])],
        outputs=[value("smoothcert_cast", ["N", 5])],
    )


def with_old_inputs(path: Path) -> Path:
    """IR 3 lists weights among the inputs; opset 9 has Clip's bounds as attributes."""
    inputs = [value("x", ["N", *SHAPE], T.UINT8), value("W", [5, 3]), value("B", [5])]
    return classifier(path, inputs=inputs, before=[CAST], last="c", opset=9, ir=3)


def with_labels_first(path: Path) -> Path:
    """As scikit-learn's: labels, then scores."""
    after = [node("ArgMax", ["y"], ["label"], axis=1, keepdims=0)]
    return classifier(
        path, after=after, outputs=[value("label", ["N"], T.INT64), value("y", ["N", 5])]
    )


def with_unread_input(path: Path) -> Path:
    inputs = [value("x", ["N", *SHAPE]), value("mask", ["N", 3])]
    return classifier(path, inputs=inputs, before=[node("Identity", ["mask"], ["m"])])


def in_double(path: Path) -> Path:
    inputs, outputs = [value("x", ["N", *SHAPE], T.DOUBLE)], [value("z", ["N", 5], T.DOUBLE)]
    after = [node("Cast", ["y"], ["z"], to=T.DOUBLE)]
    return classifier(path, inputs=inputs, outputs=outputs, before=[CAST], last="c", after=after)


def squeezed(path: Path) -> Path:
    """Of one image, without a side for the batch in what it returns."""
    after = [node("Squeeze", ["y"], ["z"])]
    return classifier(
        path, inputs=[value("x", [1, *SHAPE])], after=after, outputs=[value("z", [5])]
    )


def features_first(path: Path) -> Path:
    return classifier(path, outputs=[value("g", ["N", 3, 1, 1]), value("y", ["N", 5])])


CASES: dict[str, tuple[Case, dict[str, Any], dict[str, Any]]] = {
    "channels last": (
        lambda p: classifier(p, inputs=[value("x", NHWC)], before=[TO_NCHW], last="t"),
        {},
        {"layout": "nhwc"},
    ),
    "open sides": (
        lambda p: classifier(p, inputs=[value("x", ["batch", "channels", "height", "width"])]),
        {"input_shape": SHAPE},
        {"input_shape": [3, 8, 8], "options": {"input_shape": [3, 8, 8]}},
    ),
    "no shape": (
        lambda p: classifier(p, inputs=[value("x", None)]),
        {"input_shape": SHAPE},
        {"input_shape": [3, 8, 8], "options": {"input_shape": [3, 8, 8]}},
    ),
    "logits 4d": (
        lambda p: reshaped(p, [5, 1, 1]), {}, {"logits_shape": ["N", 5, 1, 1]},
    ),
    "logits last of four": (
        lambda p: reshaped(p, [1, 1, 5]), {}, {"logits_shape": ["N", 1, 1, 5]},
    ),
    "features first": (
        features_first, {"logits": "y"}, {"logits": "y", "options": {"logits": "y"}},
    ),
    "labels first": (with_labels_first, {}, {"logits": "y"}),
    "double": (in_double, {}, {"input_type": "float64", "logits_type": "float64"}),
    "names of ours": (named_like_ours, {}, {"input_type": "float64", "layout": "nhwc"}),
    "an input that is not read": (with_unread_input, {}, {"inputs_left_out": ["mask"]}),
    "batch of four, channels last": (
        lambda p: classifier(
            p, inputs=[value("x", [4, 8, 8, 3])], before=[TO_NCHW], last="t",
            outputs=[value("y", [4, 5])],
        ),
        {},
        {"layout": "nhwc", "batch": "opened"},
    ),
    "one image, squeezed": (squeezed, {}, {"batch": "opened", "logits_shape": [5]}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_foreign_model_certifies_as_its_twin(name: str, tmp_path: Path) -> None:
    write, options, adapted = CASES[name]
    source = images(tmp_path / "images.npz")
    found = certified(write(tmp_path / "m.onnx"), source, tmp_path / "a.tsv", **options)
    assert found == certified(plain(tmp_path / "twin.onnx"), source, tmp_path / "b.tsv")
    assert len({row[3] for row in found}) > 1  # radii that counts decide
    manifest = read_manifest(tmp_path / "a.tsv")
    assert manifest["run"]["model"]["adapted"] == adapted
    assert manifest["run"]["model"]["name"] == "m.onnx"
    assert manifest["row_independence"] == {"m.onnx": "proven"}
    assert "adapted" not in read_manifest(tmp_path / "b.tsv")["run"]["model"]


@pytest.mark.parametrize(
    ("write", "adapted"),
    [
        (lambda p: of_type(p, T.UINT8), {}),
        (uint8_channels_last, {"layout": "nhwc"}),
        (with_old_inputs, {}),
    ],
)
def test_bytes_are_clamped_before_they_are_cast(
    write: Case, adapted: dict[str, Any], tmp_path: Path
) -> None:
    """Noise of sigma 0.25 leaves 0..255 often here: wrapped, it would turn votes."""
    source = images(tmp_path / "images.npz")
    found = certified(write(tmp_path / "m.onnx"), source, tmp_path / "a.tsv")
    twin = clipped(tmp_path / "twin.onnx")
    ranged = {"input_range": (0.0, 255.0)}
    assert found == certified(twin, source, tmp_path / "b.tsv", **ranged)
    unclipped = plain(tmp_path / "plain.onnx")
    assert found != certified(unclipped, source, tmp_path / "c.tsv", **ranged)
    manifest = read_manifest(tmp_path / "a.tsv")
    assert manifest["run"]["model"]["adapted"] == {
        "input_type": "uint8", "clamped": [0, 255], **adapted
    }  # fmt: skip
    assert manifest["row_independence"] == {"m.onnx": "proven"}


@pytest.mark.parametrize("kind", [T.INT16, T.INT32, T.INT64])
def test_wider_integers_hold_noisy_pixels_as_they_are(kind: int, tmp_path: Path) -> None:
    source = images(tmp_path / "images.npz")
    found = certified(of_type(tmp_path / "m.onnx", kind), source, tmp_path / "a.tsv")
    twin = plain(tmp_path / "twin.onnx")
    assert found == certified(twin, source, tmp_path / "b.tsv", input_range=(0.0, 255.0))


@pytest.mark.parametrize("kept", [0, 1])
def test_a_threshold_makes_two_classes(kept: int, tmp_path: Path) -> None:
    """Of one output per image, [N, 1] or [N]."""
    source = images(tmp_path / "images.npz", classes=2)
    head = [node("ReduceMax", ["y"], ["m"], axes=[1], keepdims=kept), node("Sigmoid", ["m"], ["p"])]
    one = classifier(
        tmp_path / "m.onnx",
        classes=2,
        after=head,
        outputs=[value("p", ["N", 1] if kept else ["N"])],
    )
    column = [node("ReduceMax", ["y"], ["m"], axes=[1], keepdims=1), node("Sigmoid", ["m"], ["p"])]
    both = [
        *column,
        node("Sub", ["t", "p"], ["below"]),
        node("Sub", ["p", "t"], ["above"]),
        node("Concat", ["below", "above"], ["z"], axis=1),
    ]
    threshold = {"t": np.array(0.503, np.float32)}
    twin = classifier(
        tmp_path / "twin.onnx",
        classes=2,
        after=both,
        tensors=threshold,
        outputs=[value("z", ["N", 2])],
    )
    found = certified(one, source, tmp_path / "a.tsv", threshold=0.503)
    assert found == certified(twin, source, tmp_path / "b.tsv")
    assert len({row[3] for row in found}) > 1
    assert read_manifest(tmp_path / "a.tsv")["row_independence"] == {"m.onnx": "proven"}


def test_hazards_are_refused_by_the_file_and_node_that_the_user_knows(tmp_path: Path) -> None:
    noise = [node("RandomNormalLike", ["t"], ["r"], name="noise"), node("Add", ["t", "r"], ["s"])]
    path = classifier(
        tmp_path / "m.onnx", inputs=[value("x", NHWC)], before=[TO_NCHW, *noise], last="s"
    )
    source = images(tmp_path / "images.npz")
    with pytest.raises(InputError, match=rf"^model {path}, node 'noise' \(RandomNormalLike\)"):
        certified(path, source, tmp_path / "a.tsv")
    assert not (tmp_path / "a.tsv").exists()


def test_a_half_model_stays_one(tmp_path: Path) -> None:
    source = images(tmp_path / "images.npz")
    cast = node("Cast", ["t"], ["c"], to=T.FLOAT)
    half = classifier(
        tmp_path / "m.onnx", inputs=[value("x", NHWC, T.FLOAT16)], before=[TO_NCHW, cast], last="c"
    )
    twin = of_type(tmp_path / "twin.onnx", T.FLOAT16)
    found = certified(half, source, tmp_path / "a.tsv")
    assert found == certified(twin, source, tmp_path / "b.tsv")
    assert read_manifest(tmp_path / "a.tsv")["run"]["precision"] == "fp16"


@pytest.mark.parametrize(
    ("shape", "before", "tensors", "options"),
    [
        (["N", 8, 8, 1], [TO_NCHW], {}, {}),
        (["N", 8, 8], [node("Reshape", ["x", "s"], ["t"])], {"s": np.array([0, 1, 8, 8])}, {}),
        (
            ["N", 64],
            [node("Reshape", ["x", "s"], ["t"])],
            {"s": np.array([0, 1, 8, 8])},
            {"input_shape": (1, 8, 8)},
        ),
    ],
)
def test_grey_images_come_in_several_layouts(
    shape: list[Any],
    before: list[onnx.NodeProto],
    tensors: dict[str, Any],
    options: dict[str, Any],
    tmp_path: Path,
) -> None:
    source = images(tmp_path / "grey.npz", shape=(8, 8))
    bias = np.array([0.1, 0.0, 0.0, 0.0, 0.05], np.float32)
    given = classifier(
        tmp_path / "m.onnx", channels=1, inputs=[value("x", shape)], before=before, last="t",
        tensors=tensors, bias=bias,
    )  # fmt: skip
    grey = [value("x", ["N", 1, 8, 8])]
    twin = classifier(tmp_path / "twin.onnx", channels=1, inputs=grey, bias=bias)
    found = certified(given, source, tmp_path / "a.tsv", **options)
    assert found == certified(twin, source, tmp_path / "b.tsv")


def test_rows_of_channels_are_told_apart_by_the_layout(tmp_path: Path) -> None:
    source = images(tmp_path / "images.npz")
    unrolled = [
        node("Reshape", ["x", "s"], ["h"]),
        node("Transpose", ["h"], ["t"], perm=[0, 3, 1, 2]),
    ]
    given = classifier(
        tmp_path / "m.onnx", inputs=[value("x", ["N", 192])], before=unrolled, last="t",
        tensors={"s": np.array([0, 8, 8, 3])},
    )  # fmt: skip
    found = certified(given, source, tmp_path / "a.tsv", input_shape=SHAPE, layout="nhwc")
    assert found == certified(plain(tmp_path / "twin.onnx"), source, tmp_path / "b.tsv")
