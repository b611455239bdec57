"""The network of a Hugging Face folder, with its weights, from the library that defines it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.checkpoint_facts import Wishes
from smoothcert.export.huggingface.model_folder import Folder, read_folder
from smoothcert.export.huggingface.preprocessing import spec_of
from smoothcert.export.logits import classes_of, returning_logits
from smoothcert.export.quietness import quiet

if TYPE_CHECKING:
    from torch import nn

_OFFLINE = {"HF_HUB_OFFLINE": "1", "DISABLE_SAFETENSORS_CONVERSION": "1"}
_MOST_NAMES = 3


@dataclass(frozen=True)
class FolderNetwork:
    """A folder's network; see Classifier in checkpoint_opening, which it becomes."""

    module: "nn.Module"
    arch: str
    num_classes: int
    spec: InputSpec
    sha256: str
    said: tuple[str, ...]
    recorded: dict[str, Any]


def open_folder(path: Path, wishes: Wishes) -> FolderNetwork:
    """The network in a local folder, and the input that its preprocessing describes.

    Nothing is fetched and no code of the folder's runs. Raises InputError where it is no image
    classifier, its weights do not fit it, or its preprocessing is not what our input can say.
    """
    folder = read_folder(path)
    spec = spec_of(folder, wishes)
    module, unused = _made(folder)
    module = returning_logits(module, spec.shape)
    arch = f"hf:{folder.architecture}"
    classes = classes_of(module, spec.shape, arch)
    if wishes.num_classes not in (None, classes):
        raise InputError(
            f"--num-classes {wishes.num_classes} does not fit hf:{path}, which has {classes}: "
            "leave it out"
        )
    said = [f"network and weights from hf:{path}"]
    recorded: dict[str, Any] = {"weights": [file.name for file in folder.weights]}
    if unused:
        more = f" and {len(unused) - _MOST_NAMES} more" if len(unused) > _MOST_NAMES else ""
        said.append(f"{folder.architecture} has no use for {', '.join(unused[:_MOST_NAMES])}{more}")
        recorded["unused"] = unused
    if folder.preprocessing is not None:
        said.append("preprocessing from preprocessor_config.json, but for what options say")
    digest = file_digest(path / "config.json", *folder.weights)
    return FolderNetwork(module, arch, classes, spec, digest, tuple(said), recorded)


def _made(folder: Folder) -> "tuple[nn.Module, list[str]]":
    """The module, and the names of weights that it has no use for."""
    library = _library()
    own = f"hf:{folder.path}"
    try:
        with quiet():
            module, found = library.AutoModelForImageClassification.from_pretrained(
                str(folder.path),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                use_safetensors=folder.weights[0].suffix == ".safetensors",
                attn_implementation="eager",  # the plain operators: what every exporter can write
            )
    except Exception as error:  # the library raises what it likes
        raise InputError(
            f"{own} cannot be loaded by transformers {library.__version__} ({one_line(error)}): "
            "expected a model that it knows, with whole weights; upgrade transformers or download "
            "the folder again"
        ) from None
    for what in ("missing_keys", "mismatched_keys"):
        names = sorted(str(name) for name in found.get(what) or ())
        if names:
            raise InputError(
                f"{own} has weights that do not fit {folder.architecture}: {len(names)} "
                f"{what.removesuffix('_keys')} ({', '.join(names[:_MOST_NAMES])}), which would be "
                "random numbers; expected whole weights; download the folder again"
            )
    # Weights in half precision are float32 numbers too: nothing is rounded.
    return module.float().eval(), sorted(map(str, found.get("unexpected_keys") or ()))


def _library() -> Any:
    """transformers, imported so that it will not ask a server for anything."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update({name: value for name, value in _OFFLINE.items() if before[name] is None})
    try:
        with quiet():
            library = require("transformers", "hf", "a Hugging Face folder")
            require("transformers.models.auto.modeling_auto", "hf", "a Hugging Face folder")
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
    return library
