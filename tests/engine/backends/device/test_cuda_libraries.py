"""CUDA's libraries are found in every place that pip may have put them in: small libraries in
folders as NVIDIA's wheels make them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from smoothcert.engine.backends.device.cuda_libraries import library_folders, no_provider

if sys.platform != "linux" or shutil.which("gcc") is None:
    pytest.skip("needs Linux, and gcc to build libraries with", allow_module_level=True)


def library(path: Path, *needs: Path) -> Path:
    """A shared library of its file's name, linked with others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    calls = "".join(f" + of_{need.name.split('.')[0]}()" for need in needs)
    declared = "".join(f"int of_{need.name.split('.')[0]}();\n" for need in needs)
    own = f"int of_{path.name.split('.')[0]}() {{ return 1{calls}; }}\n"
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
    command += [f"-Wl,-soname,{path.name}", "-x", "none", *map(str, needs)]
    subprocess.run(command, input=declared + own, text=True, check=True)
    return path


LOAD = """
import ctypes, json, sys
from pathlib import Path
from smoothcert.engine.backends.device.cuda_libraries import library_folders, load_libraries
folders = library_folders(Path(sys.argv[1]))
first = [str(path) for path in load_libraries(folders)]
again = load_libraries(folders)
ctypes.CDLL("libcudnn.so.9")  # by its name alone, as the provider asks for it
print(json.dumps([first, [str(path) for path in again]]))
"""


def test_libraries_are_loaded_from_every_site_folder_each_once(tmp_path: Path) -> None:
    """cuBLAS beside onnxruntime, the rest in the user's site folder; and another cuBLAS there."""
    own, users = tmp_path / "own", tmp_path / "users"
    small = library(own / "nvidia/cu13/lib/libcublasLt.so.13")
    blas = library(own / "nvidia/cu13/lib/libcublas.so.13", small)
    library(users / "nvidia/cublas/lib/libcublas.so.13")
    cudnn = library(users / "nvidia/cudnn/lib/libcudnn.so.9")
    runtime = library(users / "torch/lib/libcudart.so.12")
    (users / "nvidia/cufft/lib").mkdir(parents=True)
    (users / "nvidia/cufft/lib/libcufft.so.11").write_text("no library")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(own)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(users)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, again = json.loads(done.stdout)
    ours = [path for path in first if path.startswith(str(tmp_path))]  # this Python may have some
    assert ours == [str(path) for path in (runtime, small, blas, cudnn)]
    assert again == []


def test_folders_of_the_first_site_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for site in ("a", "b"):
        (tmp_path / site / "nvidia" / "cudnn" / "lib").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b"), *sys.path])
    found = [path for path in library_folders(tmp_path / "b") if tmp_path in path.parents]
    assert [path.parents[2].name for path in found] == ["b", "a"]


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    capi = tmp_path / "site" / "onnxruntime" / "capi"
    library(capi / "libonnxruntime_providers_shared.so")
    needed = library(tmp_path / "elsewhere" / "libcublasLt.so.77")
    library(capi / "libonnxruntime_providers_cuda.so", needed)
    needed.unlink()
    runtime = SimpleNamespace(
        __file__=str(capi.parent / "__init__.py"), __version__="1.30.0", cuda_version="13.0"
    )
    monkeypatch.setattr(sys, "platform", system)
    message = str(no_provider(runtime))
    assert "(libcublasLt.so.77: cannot open shared object file" in message
    assert "the CUDA (13.0) and cuDNN that onnxruntime-gpu 1.30.0 is built for" in message
    assert "\n" not in message
    assert ("WSL2" in message) == (system == "win32")
