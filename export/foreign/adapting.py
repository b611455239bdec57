"""Foreign ONNX files opened: as they are where that is canonical, else adapted once per content."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import cache_entry, write_atomically
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.models.model import Model, Origin, onnx_digest, open_onnx
from smoothcert.engine.models.onnx_graph import inspect_graph
from smoothcert.engine.models.unloadable import opset_of, parsed
from smoothcert.export.foreign.batch import opened_batch
from smoothcert.export.foreign.canonical import TooLargeError, canonical, serialised
from smoothcert.export.foreign.contradiction import check_agrees
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.foreign.reading import Reading, read_foreign

ADAPTER = 1
"""The version of what is inferred and written; an adapted file is no older than it is."""


@dataclass(frozen=True)
class AdaptedFile:
    """A canonical ONNX file that computes what a foreign one does.

    content  its bytes
    adapted  what was given and inferred, for a manifest
    said     what was inferred, in sentences
    """

    content: bytes
    adapted: dict[str, Any]
    said: tuple[str, ...]


def open_foreign(path: Path, options: ModelOptions) -> Model:
    """Open an ONNX file of anyone's.

    One with metadata of ours, and one that is canonical already where nothing is said of it, is
    opened itself. Of any other a canonical file is written into the user's cache, once per content,
    options and versions. Raises InputError, in one line, for what cannot be loaded, is no
    classifier of images, or can be read in more than one way.
    """
    sha256 = onnx_digest(path)
    entry = _entry(path, sha256, options)
    if entry.exists():
        with suppress(InputError):  # damaged: written anew below
            return _opened(path, sha256, entry)
    graph = inspect_graph(path)
    if METADATA_KEY in graph.metadata:
        model = open_onnx(path, graph, sha256)
        recorded = model.metadata.get("adapted")
        check_agrees(path, model.spec, options, recorded, graph.outputs[0].name)
        return model
    reading = read_foreign(path, graph, options)
    kept = entry.with_suffix(".json")
    if reading.plain:
        sentences = () if reading.taken.batch is None else _kept(kept)
        if sentences is not None:
            said = (*reading.said, *sentences)
            return replace(open_onnx(path, graph, sha256), said=said)
    try:
        file = adapted_file(path, reading)
    except TooLargeError as error:
        if not reading.plain:
            raise InputError(f"model {path}: {error}") from None
        said = (*reading.said, f"batch fixed at {reading.taken.batch}: kept, since {error}")
        return replace(open_onnx(path, graph, sha256), said=said)
    if reading.plain and "batch" not in file.adapted:
        write_atomically(kept, json.dumps(file.said[len(reading.said) :]).encode())
        return replace(open_onnx(path, graph, sha256), said=file.said)
    write_atomically(entry, file.content)
    try:
        return _opened(path, sha256, entry)
    except InputError:
        entry.unlink(missing_ok=True)
        raise


def adapted_file(path: Path, reading: Reading) -> AdaptedFile:
    """Write a canonical file of the foreign model at `path`, with its batch dimension opened where
    that can be."""
    model = canonical(parsed(path, weights=True), reading.taken, reading.returned)
    adapted, said = dict(reading.adapted), list(reading.said)
    if reading.taken.batch is not None:
        opened = opened_batch(model, reading.taken.spec, path.parent)
        if opened.model is None:
            said.append(f"batch fixed at {reading.taken.batch}: kept, since {opened.reason}")
        else:
            model, adapted["batch"] = opened.model, "opened"
            said.append(f"batch fixed at {reading.taken.batch}: opened, the logits stay the same")
    metadata = {
        **reading.taken.spec.to_metadata(),
        "num_classes": reading.returned.classes,
        "opset": opset_of(model),
        "adapted": adapted,
        "said": said,
        "versions": {name: version_of(name) for name in ("smoothcert", "onnx", "onnxruntime")},
    }
    return AdaptedFile(serialised(model, metadata), adapted, tuple(said))


def _entry(path: Path, sha256: str, options: ModelOptions) -> Path:
    """The file of the cache that is adapted from this one by these options."""
    question = {
        "sha256": sha256,
        "options": options.to_record(),
        "adapter": ADAPTER,
        "versions": [version_of(name) for name in ("onnx", "onnxruntime", "onnxruntime-gpu")],
    }
    return cache_entry("models", question, ".onnx", path.stem)


def _kept(note: Path) -> tuple[str, ...] | None:
    """Why a fixed batch stays so, where that was found out before."""
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None
    return tuple(map(str, found)) if isinstance(found, list) else None


def _opened(path: Path, sha256: str, entry: Path) -> Model:
    """The model at `path`, of which `entry` is what runs."""
    model = open_onnx(entry)
    adapted, said = model.metadata.get("adapted"), model.metadata.get("said")
    if not isinstance(adapted, dict) or not isinstance(said, list):
        raise InputError(f"cached model {entry} is damaged: remove it")
    return replace(model, origin=Origin(path, sha256, adapted), said=tuple(map(str, said)))
