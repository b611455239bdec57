"""Choosing and loading a runtime, and every way in which one cannot be loaded or started."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smoothcert.engine.backends.tensorrt import module
from smoothcert.engine.backends.tensorrt.log import LogKeeper
from smoothcert.engine.backends.tensorrt.module import TensorRT, default_runtime, load_tensorrt
from smoothcert.engine.base.errors import (
    DeviceMemoryError,
    DeviceUnavailableError,
    InputError,
    MissingPartError,
)


@pytest.fixture
def module_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules come first, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("tensorrt", None)


def test_the_installed_runtime_is_the_default() -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("full TensorRT is installed, and comes first")
    assert default_runtime() == "tensorrt-rtx"
    module = load_tensorrt(None, "testing")
    assert module.rtx
    assert module.version == module.trt.__version__


def test_full_tensorrt_comes_first(module_folder: Path) -> None:
    (module_folder / "tensorrt.py").write_text("__version__ = '11.4.0.106'\n")
    assert default_runtime() == "tensorrt"
    assert not load_tensorrt(None, "testing").rtx


@pytest.mark.parametrize("version", ["10.13.0.35", "10.13.2.6", "10.16.1.11", "11.4.0.106", "12.0"])
def test_10_is_taken_as_11_is(module_folder: Path, version: str) -> None:
    (module_folder / "tensorrt.py").write_text(f"__version__ = {version!r}\n")
    assert load_tensorrt("tensorrt", "testing").version == version


@pytest.mark.parametrize("version", ["8.6.1", "9.3.0", "10.0.1", "10.12.0.36"])
def test_an_old_version_is_refused(module_folder: Path, version: str) -> None:
    (module_folder / "tensorrt.py").write_text(f"__version__ = {version!r}\n")
    with pytest.raises(InputError, match=rf"tensorrt {version} is too old: expected 10\.13 or"):
        load_tensorrt("tensorrt", "testing")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "raise ImportError('libnvinfer.so.11: cannot open\\nshared object')",
            "cannot open shared",
        ),
        ("import ctypes; ctypes.CDLL('libnvinfer_absent.so.11')", "libnvinfer_absent"),
        ("import tensorrt_bindings_absent", "No module named 'tensorrt_bindings_absent'"),
        ("raise RuntimeError('a symbol is missing')", "a symbol is missing"),
        ("raise KeyError('CUDA_PATH')", "CUDA_PATH"),
        ("1 +", "invalid syntax"),
        ("", "has no attribute '__version__'"),
        ("__version__ = 'dev'", "version 'dev'"),
    ],
)
def test_a_module_that_does_not_load_is_one_line(
    module_folder: Path, source: str, reason: str
) -> None:
    (module_folder / "tensorrt.py").write_text(source + "\n")
    with pytest.raises(InputError, match="testing needs the package tensorrt, which") as caught:
        load_tensorrt("tensorrt", "testing")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_an_uninstalled_package_left_behind_is_no_runtime(module_folder: Path) -> None:
    """A folder without a file is imported, as a namespace."""
    (module_folder / "tensorrt").mkdir()
    with pytest.raises(InputError, match=r"cannot be loaded .*__version__.*--force-reinstall"):
        load_tensorrt("tensorrt", "testing")


def test_missing_and_unknown_runtimes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="runtime 'onnx' is unknown: expected one of tensorrt,"):
        load_tensorrt("onnx", "testing")
    monkeypatch.setattr(module, "_MODULES", {"tensorrt": "absent1", "tensorrt-rtx": "absent2"})
    with pytest.raises(MissingPartError, match=r"smoothcert\[tensorrt-rtx\]"):
        default_runtime()
    with pytest.raises(MissingPartError, match=r"testing needs .*smoothcert\[tensorrt\]"):
        load_tensorrt("tensorrt", "testing")


def test_only_version_10_is_told_to_be_strongly_typed() -> None:
    flags = SimpleNamespace(STRONGLY_TYPED=1)
    trt = SimpleNamespace(NetworkDefinitionCreationFlag=flags)
    for name, version, expected in (
        ("tensorrt", "10.13.2.6", 2),
        ("tensorrt", "10.16.1.11", 2),
        ("tensorrt", "11.0.0.114", 0),
        ("tensorrt-rtx", "1.7.1.116", 0),
    ):
        assert TensorRT(name, version, trt).network_flags == expected


class Started:
    """A module `trt` whose Runtime answers, or fails, as it is told."""

    def __init__(self, error: Exception | None = None, said: str = "") -> None:
        self.ILogger = pytest.importorskip("tensorrt_rtx").ILogger
        self.error, self.said = error, said

    def Runtime(self, logger: Any) -> Any:  # noqa: N802
        if self.said:
            logger.log(self.ILogger.Severity.ERROR, self.said)
        if self.error is not None:
            raise self.error
        return SimpleNamespace(engine_host_code_allowed=False)


@pytest.mark.parametrize("host_code", [False, True])
def test_host_code_is_allowed_only_where_it_is_asked_for(host_code: bool) -> None:
    trt = Started()
    module = TensorRT("tensorrt", "10.16.1.11", trt)
    assert module.start(LogKeeper(trt), host_code=host_code).engine_host_code_allowed is host_code


def test_a_runtime_that_does_not_start_is_one_line() -> None:
    nullptr = TypeError("pybind11::init(): factory function returned nullptr")
    trt = Started(nullptr, "CUDA initialization failure\nwith error: 35")
    with pytest.raises(DeviceUnavailableError, match="failure with error: 35") as caught:
        TensorRT("tensorrt", "10.16.1.11", trt).start(LogKeeper(trt), host_code=False)
    assert "tensorrt 10.16.1.11 does not start here" in str(caught.value)
    trt = Started(nullptr, "Cuda failure: out of memory")
    with pytest.raises(DeviceMemoryError):
        TensorRT("tensorrt", "10.16.1.11", trt).start(LogKeeper(trt), host_code=False)
