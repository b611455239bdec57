"""What lies in a folder of a Hugging Face model: its configuration, and files of weights."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import CLASSES, SIDE
from smoothcert.engine.base.wording import shown
from smoothcert.engine.models.kinds import Kind, kind_of
from smoothcert.engine.models.model import check_file
from smoothcert.export.weights.content import check_torch

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
            "pytorch_model.bin.index.json")  # fmt: skip
"""Where weights may be, as the library looks for them; an index names several files."""

_KINDS = (Kind.SAFETENSORS, Kind.CHECKPOINT, Kind.LEGACY_CHECKPOINT)
_HEAD = "ForImageClassification"
_OF_CLASSES = ("num_labels", "_num_labels")
_PARTS = re.compile("layers|depth|blocks|stages")
_MOST_PARTS = 10_000
LEAST_PART = 0.01
"""Of a photograph, that a crop leaves."""


@dataclass(frozen=True)
class Folder:
    """A folder of an image classifier.

    config         of config.json
    preprocessing  of preprocessor_config.json, None where there is none
    architecture   the class that config.json names
    weights        the files that hold its weights, safetensors where there are both kinds
    """

    path: Path
    config: dict[str, Any]
    preprocessing: dict[str, Any] | None
    architecture: str
    weights: tuple[Path, ...]


def read_folder(path: Path) -> Folder:
    """Read a folder's JSON files and find its weights; nothing is fetched, no code is loaded.

    Raises InputError where it is no image classifier, wants code of its own, or lacks a file.
    """
    if not path.is_dir():
        raise InputError(
            f"hf:{path} is no folder: expected a local one with config.json and "
            "model.safetensors; download the model first"
        )
    config = _object(path / "config.json")
    if "auto_map" in config:
        raise InputError(
            f"hf:{path} wants code that came with it (auto_map in config.json), and no code out of "
            "a model's folder is run: export it to ONNX where it is trusted"
        )
    if "model_type" not in config and "architecture" in config:
        raise InputError(_of_timm(path, config))
    if "quantization_config" in config:
        raise InputError(
            f"hf:{path} is quantized (quantization_config in config.json): expected the model in "
            "float; export that, and reduce it with --precision"
        )
    if (path / "adapter_config.json").exists():
        raise InputError(
            f"hf:{path} is an adapter of another model: expected whole weights; merge it first"
        )
    names = config.get("architectures")
    names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    classifiers = [name for name in names if _HEAD in name]
    if not classifiers:
        raise InputError(
            f"hf:{path} is a {', '.join(names) or 'model that names no architecture'}: expected an "
            f"image classifier, such as ViT{_HEAD}"
        )
    _check_sizes(path, config)
    problem = config.get("problem_type")
    if problem not in (None, "single_label_classification"):
        raise InputError(
            f"hf:{path} does {problem}: expected single_label_classification, one class per image"
        )
    file = path / "preprocessor_config.json"
    preprocessing = _object(file) if file.exists() else _of_processor(path)
    return Folder(path, config, preprocessing, classifiers[0], _weights(path))


def _check_sizes(path: Path, config: dict[str, Any]) -> None:
    """Raise InputError for numbers of classes or of parts that no library could make in time."""
    for key, value in config.items():
        most = CLASSES.high if key in _OF_CLASSES else _MOST_PARTS if _PARTS.search(key) else None
        numbers = value if isinstance(value, list) else [value]
        if most is not None and any(isinstance(n, int | float) and n > most for n in numbers):
            raise InputError(
                f"hf:{path} says {key} {shown(value)} in config.json: expected at most {most}; "
                "download it again"
            )


def _of_processor(path: Path) -> dict[str, Any] | None:
    """The image processor's part of processor_config.json."""
    file = path / "processor_config.json"
    inner = _object(file).get("image_processor") if file.exists() else None
    return inner if isinstance(inner, dict) else None


def _weights(folder: Path) -> tuple[Path, ...]:
    name = next((name for name in _WEIGHTS if (folder / name).exists()), None)
    if name is None:
        raise InputError(
            f"hf:{folder} has no weights: expected model.safetensors or pytorch_model.bin, or an "
            "index of several; download the folder whole"
        )
    files = [folder / name]
    if name.endswith(".index.json"):
        places = _object(folder / name).get("weight_map")
        named = list(places.values()) if isinstance(places, dict) else []
        if not named or not all(isinstance(one, str) and Path(one).name == one for one in named):
            raise InputError(
                f"{folder / name} names no files of weights: expected weight_map, from names to "
                "files beside it; download it again"
            )
        files = [folder / one for one in sorted(set(named))]
    for file in files:
        kind = kind_of(check_file(file, "file of weights"))
        if kind not in _KINDS:
            raise InputError(
                f"file of weights {file} is {kind.value}: expected safetensors or a torch "
                "checkpoint; download it again"
            )
        if kind is not Kind.SAFETENSORS:
            check_torch(file)
    return tuple(files)


def _object(file: Path) -> dict[str, Any]:
    check_file(file, "file")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{file} holds no JSON object: expected one; download it again")
    return content


def _of_timm(path: Path, config: dict[str, Any]) -> str:
    """What to type for a folder of timm's, which has another kind of config.json."""
    found = config.get("pretrained_cfg")
    facts = found if isinstance(found, dict) else config
    options = [f"--arch timm:{config['architecture']}"]
    for option, key in (
        ("num-classes", "num_classes"), ("input-shape", "input_size"), ("mean", "mean"),
        ("std", "std"), ("interpolation", "interpolation"),
    ):  # fmt: skip
        value = config.get(key, facts.get(key))
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            options.append(f"--{option} {text}")
    size, part = facts.get("input_size"), facts.get("crop_pct")
    side = size[-1] if isinstance(size, list) and size else 0
    if SIDE.holds(side) and isinstance(part, float) and LEAST_PART <= part <= 1:
        options.append(f"--resize {int(side / part)}")
    return (
        f"hf:{path} is a folder of timm's: expected one of transformers'; give its weights with "
        f"what its config.json says: smoothcert export {path / 'model.safetensors'} "
        f"{' '.join(options)}"
    )
