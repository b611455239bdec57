"""From any MODEL path to a model file that a backend runs; checkpoints are exported on the fly, and
ONNX files that others wrote adapted."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from smoothcert.engine.backends.tensorrt.trust import open_plan
from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.files import cache_entry, cache_folder, file_digest, write_atomically
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.models.kinds import Kind, kind_of, refusal_of
from smoothcert.engine.models.model import Model, Origin, check_file, open_onnx
from smoothcert.engine.models.unloadable import UnloadableError, parsed
from smoothcert.export.foreign.contradiction import check_agrees
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions, spelled, typed

if TYPE_CHECKING:
    import torch

    from smoothcert.export.checkpoint_export import ExportReport

_OF_A_GRAPH = ("layout", "logits", "threshold")
_VERSIONS = ("smoothcert", "torch", "onnx", "onnxscript")


def open_model(path: Path, options: ModelOptions = NOTHING_SAID) -> Model:
    """Open a model file: ONNX, OpenVINO IR, a TensorRT plan with its record beside it, or a
    checkpoint.

    A checkpoint is exported into the user's cache first, once per content; so is an ONNX file that
    others wrote, where it needs to be adapted. `options` say what the file does not.

    Raises InputError where the file is missing, damaged, or (for a checkpoint) does not say what
    architecture and input it is for: then `smoothcert export` must be told; and for options that
    the file contradicts.
    """
    with doing(f"opening {path.name}"):
        return _opened(path, options)


def _opened(path: Path, options: ModelOptions) -> Model:
    kind = _kind_at(path)
    if kind is Kind.PLAN:
        plan = open_plan(path)
        check_agrees(path, plan.spec, options, plan.metadata.get("adapted"), "logits")
        return plan
    if kind is Kind.ONNX:
        require("onnx", "cpu", "reading an ONNX model")
        from smoothcert.export.foreign.adapting import open_foreign

        return open_foreign(path, options)
    if kind in (Kind.OPENVINO, Kind.OPENVINO_FOLDER):
        from smoothcert.export.foreign.openvino import open_ir

        return open_ir(path, options)
    exported = _exported(path, options)
    model = open_onnx(exported)
    arch = str(model.metadata["arch"])
    module = partial(load_module, path, arch, model.num_classes, model.spec.shape)
    origin = None
    if options != NOTHING_SAID:
        origin = Origin(path, file_digest(path), {"options": options.to_record()})
    return replace(model, module=module, origin=origin, said=_said(exported))


def open_reference(path: Path, options: ModelOptions) -> Model:
    """Open the model that certificates are transferred to: `options` are of the model that runs,
    and of this one where it does not say itself what they say."""
    if options != NOTHING_SAID:
        kind = _kind_at(path)
        if kind is not Kind.OPENVINO and (
            kind is not Kind.ONNX
            or any(entry.key == METADATA_KEY for entry in parsed(path).metadata_props)
        ):
            options = NOTHING_SAID
    return open_model(path, options)


def _kind_at(path: Path) -> Kind:
    """What there is; raises InputError for nothing, and for what is no model."""
    if not path.is_dir():
        check_file(path, "model")
    kind = kind_of(path)
    if not kind.ours:
        raise refusal_of(path, kind)
    if kind is Kind.ONNX and not str(path).isascii() and not _is_text(path):
        raise InputError(
            f"model {str(path)!r} has a name that is no text (UTF-8), by which no runtime opens a "
            "file: rename it"
        )
    return kind


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def load_module(
    checkpoint: Path, arch: str, num_classes: int, shape: tuple[int, int, int]
) -> "torch.nn.Module":
    """A checkpoint's weights in a new module of its architecture, on the CPU."""
    from smoothcert.export.checkpoint_facts import Wishes
    from smoothcert.export.checkpoint_opening import opened

    return opened(checkpoint, arch, Wishes(num_classes=num_classes, input_shape=shape)).module


def onnx_at(path: Path, options: ModelOptions = NOTHING_SAID) -> tuple[Path, tuple[str, ...]]:
    """The ONNX file of a MODEL path: itself, or what is adapted or exported from it in the user's
    cache. And what was inferred, a sentence each.

    Raises InputError as open_model does, and for a plan, which cannot be turned back.
    """
    kind = _kind_at(path)
    if kind is Kind.ONNX:
        try:
            model = open_model(path, options)
        except UnloadableError:
            if options != NOTHING_SAID:
                raise
            return path, ()  # TensorRT may know operators that ONNX Runtime does not
        return model.path, model.said
    if not kind.checkpoint:
        raise InputError(f"model {path} is {kind.value}: expected ONNX or a checkpoint")
    exported = _exported(path, options)
    return exported, _said(exported)


def _exported(path: Path, options: ModelOptions) -> Path:
    """A checkpoint's export in the user's cache; beside it a note of what was inferred."""
    from smoothcert.export.checkpoint_export import export_checkpoint

    given = options.given()
    for name in _OF_A_GRAPH:
        if name in given:
            raise InputError(
                f"{typed(name, given[name])} is of an ONNX file, and {path} is a checkpoint, whose "
                f"network says that itself: leave {spelled(name)} out"
            )
    entry = _entry(path, options)
    if not (entry.exists() and _note(entry).exists()):
        # Who sees the export sees its note too.
        with doing(f"exporting {path.name} into the cache"):
            export_checkpoint(path, entry, **given, before=partial(_write_note, entry))
    return entry


def _write_note(entry: Path, report: "ExportReport") -> None:
    assumed = [f"assumed {report.assumed}"] if report.assumed else []
    said = [*assumed, *report.said, *report.warnings]
    write_atomically(_note(entry), json.dumps(said).encode())


def _entry(path: Path, options: ModelOptions) -> Path:
    """Where a checkpoint's export by these options is kept."""
    digest = file_digest(path)
    if options == NOTHING_SAID:
        return cache_folder("models") / f"{path.stem}-{digest[:32]}.onnx"
    question = {
        "sha256": digest,
        "options": options.to_record(),
        "versions": [version_of(name) for name in _VERSIONS],
    }
    return cache_entry("models", question, ".onnx", path.stem)


def _note(entry: Path) -> Path:
    return entry.with_suffix(".said.json")


def _said(entry: Path) -> tuple[str, ...]:
    """What was inferred when a checkpoint was exported to `entry`."""
    try:
        found = json.loads(_note(entry).read_bytes())
    except (OSError, ValueError):  # damaged since it was written
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()
