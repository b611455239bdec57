"""Kernel timings on disk: kept per GPU and version, read only where they are the user's own.

What full TensorRT makes of them needs a GPU; the stand-in takes what a builder would.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt.timing_cache import recall, remember, timing_path
from smoothcert.engine.backends.tensorrt.trust import engine_cache

H200 = Gpu(0, "NVIDIA H200", "sm90")


class Config:
    """Takes serialized timings that begin with `tag`, as a builder of that GPU and version."""

    def __init__(self, tag: bytes = b"") -> None:
        self.tag = tag
        self.cache: Any = None

    def create_timing_cache(self, content: bytes) -> Any:
        return SimpleNamespace(serialize=lambda: content or self.tag, content=content)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache.content and not cache.content.startswith(self.tag):
            return False
        self.cache = cache
        return True

    def get_timing_cache(self) -> Any:
        return self.cache


@pytest.fixture
def path() -> Path:
    return timing_path("11.4.0.106", H200)


def test_timings_are_kept_per_gpu_and_version(path: Path) -> None:
    assert path == engine_cache() / "NVIDIA_H200-sm90-11.4.0.106.timing"
    assert timing_path("11.5.0.1", H200) != path


def test_what_was_remembered_is_recalled(path: Path) -> None:
    first = Config(b"H200")
    recall(first, path)
    assert first.cache.content == b""
    remember(first, path)
    assert path.stat().st_mode & 0o777 == 0o600
    second = Config(b"H200")
    recall(second, path)
    assert second.cache.content == b"H200"


def test_timings_of_another_kind_or_owner_are_left_out(path: Path) -> None:
    path.write_bytes(b"L4, or damaged")
    config = Config(b"H200")
    recall(config, path)
    assert config.cache.content == b""
    path.write_bytes(b"H200")
    path.chmod(0o666)
    recall(config, path)
    assert config.cache.content == b""
