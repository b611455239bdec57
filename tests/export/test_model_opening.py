"""MODEL, whatever it is: told by its bytes, with what its user says of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_models import classifier, node, value

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.opening import onnx_at, open_model, open_reference

DEMO = Path(__file__).parents[2] / "data" / "fashion_mnist_sigma25.pth"
NHWC: dict[str, Any] = {
    "inputs": [value("x", ["N", 8, 8, 3])],
    "before": [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])],
    "last": "t",
}


def opened(path: Path, **options: Any) -> Model:
    return open_model(path, ModelOptions(**options))


@pytest.mark.parametrize("name", ["m.bin", "m.pth", "m.safetensors", "model"])
def test_a_name_says_nothing(name: str, tmp_path: Path) -> None:
    path = classifier(tmp_path / name)
    assert opened(path).path == path
    assert onnx_at(path) == (path, opened(path).said)
    copy = tmp_path / "demo.onnx"
    copy.write_bytes(DEMO.read_bytes())
    assert opened(copy).num_classes == 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!doctype html><html>", "is an HTML page"),
        (b"", "is empty"),
        (b"\x93NUMPY\x01\x00v\x00", "is numpy arrays"),
        (b"\x00\x01\x02\x03 of nothing", "no kind that is known here"),
    ],
)
def test_what_is_no_model_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    for open_it in (open_model, onnx_at):
        with pytest.raises(InputError, match=words) as caught:
            open_it(path)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_takes_what_is_said_of_its_preprocessing(tmp_path: Path) -> None:
    plain = opened(DEMO)
    assert plain.origin is None
    said = opened(DEMO, input_range=(-1.0, 1.0), resize=40, interpolation="bicubic")
    assert said.spec == InputSpec(1, 28, 28, (0.5,), (0.5,), 40, "bicubic")
    assert said.module is not None
    assert (said.given, said.given_sha256) == (DEMO, file_digest(DEMO))
    assert said.describe()["adapted"] == {
        "options": {"input_range": [-1.0, 1.0], "resize": 40, "interpolation": "bicubic"}
    }
    assert opened(DEMO, mean=(0.25,)).spec.std == plain.spec.std
    assert opened(DEMO).path == plain.path


def test_what_was_inferred_of_a_checkpoint_is_said_each_time(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    content = torch.load(DEMO, weights_only=True)
    path = tmp_path / "ema.pth"
    torch.save({**content, "model_ema": content["state_dict"], "state_dict": None}, path)
    first = opened(path)
    assert any("model_ema" in sentence for sentence in first.said)
    assert opened(path).said == first.said
    assert first.module is not None
    assert first.module() is not None
    # Killed between the two files: whichever is missing is written again.
    note = first.path.with_suffix(".said.json")
    note.unlink()
    assert opened(path).said == first.said
    whole = first.path.read_bytes()
    first.path.unlink()
    note.write_text("[")
    assert opened(path).said == first.said
    assert first.path.read_bytes() == whole


def test_the_note_is_there_before_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill comes between any two files."""
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path))
    written: list[str] = []

    def put(name: str, path: Path) -> None:
        written.append(Path(path).name)
        os.rename(name, path)  # noqa: PTH104

    monkeypatch.setattr(os, "replace", put)
    entry = opened(DEMO).path
    of_export = [name for name in written if name.startswith(entry.stem)]
    assert of_export == [f"{entry.stem}.said.json", entry.name]


@pytest.mark.parametrize("options", [{"layout": "nhwc"}, {"logits": "y"}, {"threshold": 0.5}])
def test_what_is_of_a_graph_is_refused_for_a_checkpoint(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"is of an ONNX file, .* is a checkpoint.*: leave --"):
        opened(DEMO, **options)


def test_a_checkpoint_of_another_input_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        opened(DEMO, input_shape=(3, 8, 8))
    assert "\n" not in str(caught.value)


def test_a_plan_is_built_from_the_adapted_file(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", **NHWC)
    adapted, said = onnx_at(path, ModelOptions(mean=(0.5,) * 3))
    assert said == ("input x [N, 8, 8, 3]: channels last",)
    assert open_onnx(adapted).spec.mean == (0.5,) * 3
    odd = classifier(tmp_path / "odd.onnx", before=[node("Magic", ["x"], ["t"])], last="t")
    assert onnx_at(odd) == (odd, ())  # TensorRT may know the operator
    with pytest.raises(InputError, match="uses the operator Magic"):
        onnx_at(odd, ModelOptions(mean=(0.5,) * 3))


def test_a_reference_that_says_itself_is_not_told(
    tmp_path: Path, linear_model: Callable[..., Path]
) -> None:
    options = ModelOptions(mean=(0.5,) * 3)
    foreign = linear_model(np.ones((3, 12)), np.zeros(3), (3, 2, 2))
    reference = open_reference(foreign, options)
    assert reference.spec.mean == (0.5,) * 3
    again = open_reference(reference.path, ModelOptions(mean=(0.25,) * 3))
    assert again.spec.mean == (0.5,) * 3
    assert open_reference(DEMO, options).spec.shape == (1, 28, 28)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"m\xff.onnx")
    classifier(tmp_path / "m.onnx").rename(path)
    with pytest.raises(InputError, match=r"m\\udcff.onnx' has a name that is no text") as caught:
        opened(path)
    assert str(caught.value).isascii()
