"""Kernel timings of earlier builds, per GPU and version: the next build measures only what is new.

Of full TensorRT; TensorRT for RTX picks kernels on the user's machine and times nothing here. A
build needs none of this: where timings cannot be had or kept, it goes on without.
"""

import contextlib
import re
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt.trust import engine_cache, read_own_file
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically


def timing_path(version: str, gpu: Gpu) -> Path | None:
    """The file of a version's timings on a GPU, in the user's engine cache; None without one that
    can be trusted."""
    name = re.sub(r"\W+", "_", gpu.name)
    try:
        return engine_cache() / f"{name}-{gpu.capability}-{version}.timing"
    except InputError:
        return None


def recall(config: Any, path: Path) -> None:
    """Give a build the timings of a file; a missing or foreign one is as good as an empty one."""
    content = b""
    with contextlib.suppress(InputError):
        content = read_own_file(path)
    if not _set(config, content) and content:
        _set(config, b"")


def _set(config: Any, content: bytes) -> bool:
    with contextlib.suppress(RuntimeError):
        cache = config.create_timing_cache(content)
        if cache is not None:
            return bool(config.set_timing_cache(cache, False))
    return False


def remember(config: Any, path: Path) -> None:
    """Keep what a build has timed."""
    cache = config.get_timing_cache()
    timings = cache.serialize() if cache is not None else None
    if timings is not None:
        with contextlib.suppress(OSError):  # a full disk is no reason to lose the engine
            write_atomically(path, bytes(timings), 0o600)
