"""Folders of Hugging Face models: which are image classifiers with all of their files."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from smoothcert.engine.base.errors import InputError
from smoothcert.export.huggingface.model_folder import read_folder
from smoothcert.export.huggingface.spelling import folder_of

CONFIG = {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
STATE = {"classifier.bias": torch.zeros(5)}


def write(folder: Path, weights: str | None = "model.safetensors", **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    if weights == "pytorch_model.bin":
        torch.save(STATE, folder / weights)
    elif weights:
        save_file(STATE, folder / weights)
    return folder


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_classifier(weights: str, tmp_path: Path) -> None:
    folder = read_folder(write(tmp_path / "m", weights))
    assert folder.architecture == "ViTForImageClassification"
    assert folder.weights == (tmp_path / "m" / weights,)
    assert folder.preprocessing is None
    (tmp_path / "m" / "preprocessor_config.json").write_text('{"size": 8}')
    assert read_folder(tmp_path / "m").preprocessing == {"size": 8}


def test_the_image_processor_may_be_within_another_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    (folder / "processor_config.json").write_text('{"image_processor": {"size": 8}}')
    assert read_folder(folder).preprocessing == {"size": 8}


def test_weights_in_several_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", None)
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": {"a": names[1], "b": names[0], "c": names[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="does not exist"):
        read_folder(folder)
    for name in names:
        save_file(STATE, folder / name)
    assert read_folder(folder).weights == tuple(folder / name for name in names)


@pytest.mark.parametrize("content", [{}, {"weight_map": {"a": "../x.safetensors"}},
                                     {"weight_map": {"a": 7}}, {"weight_map": {"a": {}}},
                                     {"weight_map": []}])  # fmt: skip
def test_an_index_names_files_beside_it(content: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", None)
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="names no files"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"auto_map": {"AutoModel": "modeling.Net"}}, "auto_map.*no code"),
        ({"architectures": ["ViTModel"]}, "is a ViTModel: expected an image classifier"),
        ({"architectures": None}, "names no architecture"),
        ({"architectures": "x"}, "names no architecture"),
        ({"quantization_config": {}}, "quantized"),
        ({"problem_type": "multi_label_classification"}, "multi_label_classification"),
    ],
)
def test_what_is_no_classifier_of_ours(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_folder(write(tmp_path / "m", **config))
    assert "\n" not in str(caught.value)


def test_a_folder_of_timms_is_refused_with_what_to_type(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    found = {"input_size": [3, 224, 224], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
             "interpolation": "bicubic", "crop_pct": 0.95}  # fmt: skip
    config = {"architecture": "resnet18", "num_classes": 7, "pretrained_cfg": found}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError) as caught:
        read_folder(folder)
    for option in ("--arch timm:resnet18", "--num-classes 7", "--input-shape 3,224,224",
                   "--mean 0.5,0.5,0.5", "--interpolation bicubic", "--resize 235"):  # fmt: skip
        assert option in str(caught.value)


def test_what_is_missing_or_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    with pytest.raises(InputError, match="no folder"):
        read_folder(folder)
    folder.mkdir()
    with pytest.raises(InputError, match=r"config\.json does not exist"):
        read_folder(folder)
    write(folder, None)
    with pytest.raises(InputError, match="no weights"):
        read_folder(folder)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="git-lfs"):
        read_folder(folder)
    write(folder)
    for text in ("[1]", "{", "[" * 100_000):
        (folder / "preprocessor_config.json").write_text(text)
        with pytest.raises(InputError, match="no JSON object"):
            read_folder(folder)
    write(folder)
    (folder / "preprocessor_config.json").unlink()
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="adapter"):
        read_folder(folder)


def test_how_a_folder_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    assert folder_of(folder) == folder
    assert folder_of(f"hf:{folder}") == folder
    assert folder_of(Path(f"hf:{folder}")) == folder
    assert folder_of("hf:") == Path()
    for other in (None, "resnet50", "timm:x", tmp_path, tmp_path / "absent"):
        assert folder_of(other) is None
