"""What doctor says of folders of Hugging Face models, which it need not load."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from doctored import doctor
from safetensors.torch import save_file

_CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "model_type": "vit",
    "image_size": 32,
    "id2label": {"0": "cat", "1": "dog"},
}
_PIXELS = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"shortest_edge": 32},
    "resample": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def folder(path: Path, pixels: dict[str, Any] | None, **config: Any) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({**_CONFIG, **config}))
    if pixels is not None:
        (path / "preprocessor_config.json").write_text(json.dumps(pixels))
    save_file({"w": torch.ones(2)}, path / "model.safetensors")
    return path


def test_a_classifier_is_exported_by_its_folder(tmp_path: Path) -> None:
    model = folder(tmp_path / "vit", {**_PIXELS, "size": {"height": 32, "width": 32}})
    found = doctor(model)
    assert found.status == 0
    assert found.states("architecture") == ["ViTForImageClassification"]
    assert found.notes("classes") == ["cat, dog"]
    assert found.states("takes") == ["3x32x32"]
    assert "0..255 become -1..1" in found.notes("pixels")[0]
    (words,) = found.commands
    assert words[:4] == ["smoothcert", "export", "--arch", f"hf:{model}"]
    assert words[-2:] == ["-o", "model.onnx"]


def test_preprocessing_that_is_not_said_is_asked_for(tmp_path: Path) -> None:
    model = folder(tmp_path / "vit", None)
    found = doctor(model)
    assert found.status == 0
    assert "preprocessor_config.json" in found.notes("as it stands")[0]
    assert "R,G,B" in found.commands[-1]
    told = doctor(model, "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--resize", "32")
    assert told.states("takes") == ["3x32x32"]
    assert "0.5,0.5,0.5" in told.commands[-1]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "expected an image classifier"),
        ({"auto_map": {"AutoModel": "code.py"}}, "no code out of a model's folder is run"),
    ],
)
def test_what_is_no_classifier_is_refused(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    found = doctor(folder(tmp_path / "model", _PIXELS, **config))
    assert found.status == 1
    assert said in found.notes("as it stands")[0]


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    model = folder(tmp_path / "vit", _PIXELS)
    (model / "model.safetensors").unlink()
    found = doctor(model)
    assert found.status == 1
    assert "has no weights" in found.notes("as it stands")[0]


def test_json_that_is_none_is_one_line(tmp_path: Path) -> None:
    model = folder(tmp_path / "vit", _PIXELS)
    (model / "config.json").write_text("[" * 100_000)
    assert doctor(model).status == 1
