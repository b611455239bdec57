"""What is asked of the CUDA driver: of none, and of a small library that answers as one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from smoothcert.engine.backends.device.driver import gpus, require_gpu
from smoothcert.engine.base.errors import InputError

DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int index) { *device = 40 + index; return index < 2 ? 0 : 101; }
int cuDeviceGetName(char *name, int size, int device) {
  strncpy(name, device == 40 ? "First GPU" : "Second GPU", size);
  return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? (device == 40 ? 9 : 12) : attribute == 76 ? 0 : -1;
  return 0;
}
static void *current;
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = (void *)(long)(device * 3);
  return 0;
}
int cuCtxSetCurrent(void *context) { current = context; return 0; }
int cuCtxGetCurrent(void **context) { *context = current; return 0; }
"""

ASK = """
import ctypes, dataclasses, json
from smoothcert.engine.backends.device import driver
from smoothcert.engine.base.errors import InputError
found = driver.gpus()
report = [dataclasses.asdict(gpu) for gpu in found]
refused = ""
try:
    driver.require_gpu(2, "this")
except InputError as error:
    refused = str(error)
context = ctypes.c_void_p()
if found:
    driver.use(found[1])
    ctypes.CDLL("libcuda.so.1").cuCtxGetCurrent(ctypes.byref(context))
print(json.dumps([report, refused, context.value]))
"""


def ask(tmp_path: Path, init: int) -> list[object]:
    compiler = shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no gcc to build a library with")
    (tmp_path / "driver.c").write_text(DRIVER)
    command = [compiler, "-shared", "-fPIC", f"-DINIT={init}", "driver.c", "-o", "libcuda.so.1"]
    subprocess.run(command, cwd=tmp_path, check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, list)
    return answer


def test_devices_are_described_and_used_as_the_driver_says(tmp_path: Path) -> None:
    found, refused, context = ask(tmp_path, init=0)
    assert found == [
        {"index": 0, "name": "First GPU", "capability": "sm90"},
        {"index": 1, "name": "Second GPU", "capability": "sm120"},
    ]
    assert refused == "device cuda:2 does not exist: expected cuda:0 .. cuda:1"
    assert context == 41 * 3


def test_a_driver_that_finds_no_device_is_none(tmp_path: Path) -> None:
    found, refused, _ = ask(tmp_path, init=100)  # CUDA_ERROR_NO_DEVICE
    assert found == []
    assert isinstance(refused, str)
    assert "machine shows none" in refused


def test_without_a_gpu_the_purpose_is_named() -> None:
    if gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match=r"running an engine needs an NVIDIA GPU.*doctor"):
        require_gpu(0, "running an engine")
