"""A CUDA driver's library on the CPU: two devices, and a thread's stack of current contexts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
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
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = (void *)(long)(device * 3);
  return RETAIN;
}
static __thread void *stack[64];
static __thread int depth;
int cuCtxPushCurrent_v2(void *context) { stack[depth++] = context; return 0; }
int cuCtxPopCurrent_v2(void **context) {
  if (!depth) return 201;
  *context = stack[--depth];
  return 0;
}
int cuCtxSetCurrent(void *context) {
  if (!depth) depth = 1;
  stack[depth - 1] = context;
  return 0;
}
int cuCtxGetCurrent(void **context) { *context = depth ? stack[depth - 1] : 0; return 0; }
"""

CONTEXTS = (120, 123)
"""Addresses of the devices' primary contexts."""

CURRENT = '''
import ctypes
def current():
    """The thread's current context, None where there is none."""
    context = ctypes.c_void_p()
    ctypes.CDLL("libcuda.so.1").cuCtxGetCurrent(ctypes.byref(context))
    return context.value
'''
"""For the scripts of `run_with_driver`."""


def run_with_driver(
    folder: Path, script: str, *, init: int = 0, version: int = 13000, retain: int = 0
) -> str:
    """What a Python script prints in a process that finds this driver; `init`, `version` and
    `retain` are what cuInit, cuDriverGetVersion and cuDevicePrimaryCtxRetain answer.

    Skips the test where there is no gcc, or no Linux.
    """
    compiler = shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no gcc to build a library with")
    (folder / "driver.c").write_text(SOURCE)
    answers = [f"-DINIT={init}", f"-DVERSION={version}", f"-DRETAIN={retain}"]
    command = [compiler, "-shared", "-fPIC", *answers, "driver.c", "-o", "libcuda.so.1"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run(
        [sys.executable, "-c", CURRENT + script],
        capture_output=True,
        text=True,
        env={**os.environ, "LD_LIBRARY_PATH": str(folder)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
