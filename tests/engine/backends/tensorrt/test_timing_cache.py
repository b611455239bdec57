"""Kernel timings on disk: kept per GPU and version, read only where they are the user's own.

What full TensorRT makes of them needs a GPU; the stand-in takes what a builder would.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt import timing_cache
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
    found = timing_path("11.4.0.106", H200)
    assert found is not None
    return found


def test_timings_are_kept_per_gpu_and_version(path: Path) -> None:
    assert path == engine_cache() / "NVIDIA_H200-sm90-11.4.0.106.timing"
    assert timing_path("11.5.0.1", H200) != path


def test_without_a_folder_that_can_be_trusted_there_are_none() -> None:
    engine_cache().chmod(0o777)
    assert timing_path("11.4.0.106", H200) is None


class Unwilling(Config):
    """A builder that makes no timing cache, or none that can be kept."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error

    def create_timing_cache(self, content: bytes) -> Any:
        if self.error is not None:
            raise self.error

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        raise AssertionError("TensorRT takes no None")


def test_a_build_goes_on_without_timings(path: Path) -> None:
    for config in (Unwilling(), Unwilling(RuntimeError("no cache"))):
        recall(config, path)
        path.write_bytes(b"of an earlier build")
        recall(config, path)
        remember(config, path)
        assert path.read_bytes() == b"of an earlier build"
        path.unlink()
    silent = Config()
    silent.cache = SimpleNamespace(serialize=lambda: None)
    remember(silent, path)
    assert not path.exists()


def test_timings_that_cannot_be_kept_are_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    config = Config(b"H200")
    recall(config, path)
    monkeypatch.setattr(timing_cache, "write_atomically", full)
    remember(config, path)


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
