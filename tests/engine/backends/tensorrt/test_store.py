"""Engines kept in the cache: found again, and built anew where one cannot be trusted or used."""

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt import store
from smoothcert.engine.backends.tensorrt.network import PlanRefusedError
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.backends.tensorrt.plan import record_path
from smoothcert.engine.backends.tensorrt.store import cached_path, cached_plan, open_cached
from smoothcert.engine.backends.tensorrt.trust import engine_cache, read_cached_plan
from smoothcert.engine.base.errors import DeviceUnavailableError, InputError
from smoothcert.engine.models.model import Model

pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")

OPTIONS = BuildOptions(batch=4)
H200, L4 = Gpu(0, "NVIDIA H200", "sm90"), Gpu(0, "NVIDIA L4", "sm89")


@pytest.fixture
def onnx(linear_model: Any) -> Path:
    weights = np.ones((4, 12), np.float32), np.zeros(4, np.float32)
    path = linear_model(*weights, (3, 2, 2), name="a model.onnx")
    assert isinstance(path, Path)
    return path


def find(onnx: Path, options: BuildOptions = OPTIONS) -> Path:
    return cached_plan(onnx, options, runtime="tensorrt-rtx", device=None)


def test_an_engine_is_built_once(onnx: Path) -> None:
    path = find(onnx)
    assert path.parent == engine_cache()
    built = path.stat().st_mtime_ns
    assert find(onnx) == path
    assert path.stat().st_mtime_ns == built
    assert read_cached_plan(path)[1].batch == 4


FIND = """
import sys
from pathlib import Path
from smoothcert.engine.backends.tensorrt.store import cached_plan
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.backends.tensorrt.trust import open_plan
path = cached_plan(Path(sys.argv[1]), BuildOptions(batch=4), runtime="tensorrt-rtx", device=None)
print(open_plan(path).sha256, path.stat().st_ino)
"""


def test_of_many_processes_one_builds(onnx: Path) -> None:
    command = [sys.executable, "-c", FIND, str(onnx)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 4, answers
    assert len({out for out, _ in answers}) == 1


def test_the_name_is_of_everything_the_engine_depends_on() -> None:
    given: dict[str, Any] = {
        "name": "model",
        "sha256": "ab" * 32,
        "runtime": "tensorrt",
        "version": "11.4.0.106",
        "gpu": H200,
        "options": OPTIONS,
    }
    changes: list[dict[str, Any]] = [
        {"sha256": "cd" * 32},
        {"runtime": "tensorrt-rtx"},
        {"version": "11.5.0.1"},
        {"gpu": L4},
        {"gpu": None},
        {"options": BuildOptions(batch=8)},
        {"options": BuildOptions(batch=4, tf32=False)},
    ]
    paths = {cached_path(**{**given, **change}) for change in [{}, *changes]}
    assert len(paths) == len(changes) + 1
    # The same card in another slot is the same card.
    assert cached_path(**{**given, "gpu": Gpu(1, H200.name, H200.capability)}) in paths
    assert cached_path(**{**given, "name": "../x y"}).parent == engine_cache()


def spoil_content(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def spoil_record(path: Path) -> None:
    record_path(path).unlink()


def spoil_mode(path: Path) -> None:
    path.chmod(0o666)


def spoil_with_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("spoil", [spoil_content, spoil_record, spoil_mode, spoil_with_a_link])
def test_what_cannot_be_trusted_is_built_anew(onnx: Path, spoil: Any) -> None:
    path = find(onnx)
    spoil(path)
    assert find(onnx) == path
    assert not path.is_symlink()
    read_cached_plan(path)


def test_a_cache_that_cannot_be_locked_is_one_line(
    onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", no_locks)
        with pytest.raises(
            InputError, match=r"cannot be locked \(No locks available\): set SMOOTH"
        ):
            find(onnx)
    path = find(onnx)
    lock = path.with_suffix(".lock")
    lock.unlink()
    lock.mkdir()
    with pytest.raises(InputError, match=r"cannot be locked \(Is a directory\)"):
        find(onnx)


def test_what_cannot_be_removed_is_one_line(onnx: Path) -> None:
    path = find(onnx)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"cannot be removed \(Is a directory\)"):
        find(onnx)


def test_rtx_builds_nothing_for_a_card_it_does_not_run_on(
    onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would build an engine for an H200, and refuse it."""
    monkeypatch.setattr(store, "require_gpu", lambda index, purpose: H200)
    monkeypatch.setattr(store, "build_plan", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(DeviceUnavailableError, match=r"NVIDIA H200 \(sm90\): expected .*sm89"):
        cached_plan(onnx, OPTIONS, runtime="tensorrt-rtx", device=0)


def test_an_engine_the_runtime_refuses_is_built_once_more(onnx: Path) -> None:
    opened: list[int] = []

    def refuse(times: int) -> Any:
        opened.clear()

        def open_network(model: Model) -> str:
            opened.append(model.path.stat().st_ino)
            if len(opened) <= times:
                raise PlanRefusedError("built for another GPU")
            return "a network"

        return open_network

    model, network = open_cached(lambda: find(onnx), refuse(0))
    assert (model.batch, network, len(opened)) == (4, "a network", 1)
    model, network = open_cached(lambda: find(onnx), refuse(1))
    assert (network, len(opened)) == ("a network", 2)
    with pytest.raises(PlanRefusedError, match="another GPU"):
        open_cached(lambda: find(onnx), refuse(2))
    assert len(opened) == 2
