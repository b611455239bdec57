"""Engines built on the fly, kept in the user's cache: one per model, GPU, runtime and settings."""

import contextlib
import fcntl
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from smoothcert.engine.backends.device.driver import Gpu, require_gpu
from smoothcert.engine.backends.tensorrt import rtx
from smoothcert.engine.backends.tensorrt.build import build_plan
from smoothcert.engine.backends.tensorrt.module import load_tensorrt
from smoothcert.engine.backends.tensorrt.monitor import BuildWatcher
from smoothcert.engine.backends.tensorrt.network import PlanRefusedError
from smoothcert.engine.backends.tensorrt.onnx_facts import read_onnx
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.backends.tensorrt.plan import record_path
from smoothcert.engine.backends.tensorrt.trust import engine_cache, open_plan, read_cached_plan
from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model

_Network = TypeVar("_Network")


def cached_path(
    name: str, sha256: str, runtime: str, version: str, gpu: Gpu | None, options: BuildOptions
) -> Path:
    """Where the engine of a model (`sha256` of the ONNX) lies in the cache: its name carries the
    digest of all that it depends on."""
    where = [gpu.name, gpu.capability] if gpu else None
    identity = [sha256, runtime, version, where, options.describe()]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    safe = re.sub(r"[^\w.+]", "_", name)
    return engine_cache() / f"{safe}-{digest[:32]}.plan"


def cached_plan(
    onnx: Path,
    options: BuildOptions,
    *,
    runtime: str | None = None,
    device: int | None = 0,
    watcher: BuildWatcher | None = None,
) -> Path:
    """The engine of an ONNX model for a GPU, built now unless the cache has it.

    device  index of the GPU; None for an engine of TensorRT for RTX that is bound to none
    A cached file that is damaged, or that others could have written, is built anew. Raises
    InputError as build_plan does, where the cache folder itself cannot be trusted or locked, and
    where the runtime has no kernels for the GPU. The caller's current device stays what it is.
    """
    module = load_tensorrt(runtime, "building an engine")
    gpu = None if device is None else require_gpu(device, "building an engine")
    if gpu is not None and module.rtx:
        rtx.require_capability(module, gpu)
    digest = read_onnx(onnx).sha256
    path = cached_path(onnx.stem, digest, module.name, module.version, gpu, options)
    with doing(f"building a TensorRT engine of {onnx.name} into the cache"), _alone(path):
        try:
            read_cached_plan(path)
        except InputError:
            forget(path)
            build_plan(
                onnx, path, options, runtime=module.name, device=device or 0, watcher=watcher
            )
    return path


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a cached engine: of many processes one builds, the others wait for it."""
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context(path.with_suffix(".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise InputError(
                f"engine cache {path.parent} cannot be locked ({error.strerror}): set "
                "SMOOTHCERT_CACHE to a writable folder on a local disk"
            ) from None
        yield


def forget(path: Path) -> None:
    """Remove an engine and its record from the cache; raises InputError where that fails."""
    for file in (path, record_path(path)):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"cached engine {file} cannot be removed ({error.strerror}): remove it yourself"
            ) from None


def open_cached(
    locate: Callable[[], Path], open_network: Callable[[Model], _Network]
) -> tuple[Model, _Network]:
    """Open a network on the engine that `locate` (a call of cached_plan) finds or builds.

    An engine that the runtime refuses after all (a driver or card that changed under the same
    name) is built once more; a second refusal is raised.
    """
    path = locate()
    try:
        model = open_plan(path)
        return model, open_network(model)
    except PlanRefusedError:
        forget(path)
    model = open_plan(locate())
    return model, open_network(model)
