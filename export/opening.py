"""From any MODEL path to a model file that a backend runs; checkpoints are exported on the fly."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from smoothcert.engine.backends.tensorrt.plan import is_plan
from smoothcert.engine.backends.tensorrt.trust import open_plan
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import cache_folder, file_digest
from smoothcert.engine.models.model import CHECKPOINT_SUFFIXES, Model, check_file, open_onnx
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions

if TYPE_CHECKING:
    import torch


def is_checkpoint(path: Path) -> bool:
    """Whether a file holds weights rather than an ONNX graph: by content, else by its suffix."""
    with path.open("rb") as file:
        start = file.read(2)
    # torch.save writes a zip archive, and a pickle (protocol 2) before version 1.6.
    return start in (b"PK", b"\x80\x02") or path.suffix in CHECKPOINT_SUFFIXES


def open_model(path: Path, options: ModelOptions = NOTHING_SAID) -> Model:
    """Open a model file: ONNX, a TensorRT plan with its record beside it, or a checkpoint.

    A checkpoint is exported into the user's cache first, once per content; so is an ONNX file that
    others wrote, where it needs to be adapted. `options` say what the file does not.

    Raises InputError where the file is missing, damaged, or (for a checkpoint) does not say what
    architecture and input it is for: then `smoothcert export` must be told.
    """
    check_file(path, "model")
    if is_plan(path):
        return open_plan(path)
    onnx = onnx_at(path, options)
    model = open_onnx(onnx)
    if onnx == path:
        return model
    arch = str(model.metadata["arch"])
    module = partial(load_module, path, arch, model.num_classes, model.spec.shape)
    return replace(model, module=module)


def load_module(
    checkpoint: Path, arch: str, num_classes: int, shape: tuple[int, int, int]
) -> "torch.nn.Module":
    """A checkpoint's weights in a new module of its architecture, on the CPU."""
    from smoothcert.export.architectures import architecture
    from smoothcert.export.checkpoint import load_weights, read_checkpoint

    module = architecture(arch, num_classes, shape)
    load_weights(module, read_checkpoint(checkpoint), arch)
    return module


def onnx_at(path: Path, options: ModelOptions = NOTHING_SAID) -> Path:
    """The ONNX file of a MODEL path: itself, or a checkpoint's export in the user's cache.

    Raises InputError as open_model does, and for a plan, which cannot be turned back.
    """
    check_file(path, "model")
    if is_plan(path):
        raise InputError(f"model {path} is a TensorRT plan: expected ONNX or a checkpoint")
    if not is_checkpoint(path):
        return path
    from smoothcert.export.checkpoint_export import export_checkpoint

    exported = cache_folder("models") / f"{path.stem}-{file_digest(path)[:32]}.onnx"
    if not exported.exists():
        export_checkpoint(path, exported)
    return exported
