"""Kernel timings of earlier builds, per GPU and version: the next build measures only what is new.

Of full TensorRT; TensorRT for RTX picks kernels on the user's machine and times nothing here.
"""

import contextlib
import re
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt.trust import engine_cache, read_own_file
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically


def timing_path(version: str, gpu: Gpu) -> Path:
    """The file of a version's timings on a GPU, in the user's engine cache."""
    name = re.sub(r"\W+", "_", gpu.name)
    return engine_cache() / f"{name}-{gpu.capability}-{version}.timing"


def recall(config: Any, path: Path) -> None:
    """Give a build the timings of a file; a missing or foreign one is as good as an empty one."""
    content = b""
    with contextlib.suppress(InputError):
        content = read_own_file(path)
    cache = config.create_timing_cache(content)
    if not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def remember(config: Any, path: Path) -> None:
    """Keep what a build has timed."""
    cache = config.get_timing_cache()
    if cache is not None:
        write_atomically(path, bytes(cache.serialize()), 0o600)
