"""The model's way to the nodes: once through the object store, then from a cache on each."""

import fcntl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.base.errors import RunStoppedError
from smoothcert.engine.base.files import cache_folder, file_digest, write_atomically
from smoothcert.engine.models.model import Model, model_files


@dataclass(frozen=True)
class ShippedModel:
    """A model and where its files' bytes can be had: relative name -> object reference, in the
    order of the digest."""

    model: Model
    files: Mapping[str, Any]


def ship(model: Model, put: Callable[[Any], Any]) -> ShippedModel:
    """Hand a model's files to the object store (`put`)."""
    files = {
        str(file.relative_to(model.path.parent)): put(np.fromfile(file, np.uint8))
        for file in model_files(model.path)
    }
    return ShippedModel(model, files)


def shipped_bytes(model: Model) -> int:
    """What `ship` will put into the object store."""
    return sum(file.stat().st_size for file in model_files(model.path))


def receive(shipped: ShippedModel, get: Callable[[Any], Any]) -> Model:
    """The model, from this node's cache; fetched (`get`) into it by the first that asks.

    Whoever asks checks the digest: a damaged cache is fetched again.
    """
    model = shipped.model
    folder = cache_folder("shipped") / model.sha256
    folder.mkdir(mode=0o700, exist_ok=True)
    paths = [folder / name for name in shipped.files]
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _holds(paths, model.sha256):
            for path, reference in zip(paths, shipped.files.values(), strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, get(reference).tobytes())
            if not _holds(paths, model.sha256):
                raise RunStoppedError(
                    f"model {model.path.name} changed while it was sent to the cluster: expected "
                    f"the SHA-256 {model.sha256}; repeat the command"
                )
    return replace(model, path=paths[0])


def _holds(paths: list[Path], digest: str) -> bool:
    return all(path.is_file() for path in paths) and file_digest(*paths) == digest
