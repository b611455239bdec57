"""The CUDA kernels on the CPU: the very source text a GPU gets, built by g++ against a stand-in.

A HostRuntime launches kernels on numpy arrays as a device runtime launches them on device memory,
so that whatever is built on kernels can be tested without a GPU.
"""

import ctypes
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.cupy_kernels import loader
from smoothcert.cupy_kernels.loader import Kernel

STAND_IN = Path(__file__).with_name("cuda_on_cpu.hpp")
# Contraction would fuse what the kernels keep apart; bytes are read through wider types.
FLAGS = ("-std=c++20", "-O1", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-clobbered")

Argument = npt.NDArray[np.generic] | np.generic
"""An array, passed as its address, or a numpy scalar, passed by value."""


def all_kernels() -> tuple[Kernel, ...]:
    """Every kernel there is."""
    return (
        *(
            loader.noise_add_kernel(layout, scalar, shared_guide=shared)
            for layout in loader.LAYOUTS
            for scalar in loader.SCALARS
            for shared in (True, False)
        ),
        *(loader.vote_kernel(scalar) for scalar in loader.SCALARS),
    )


def translation_unit(kernels: Sequence[Kernel]) -> str:
    """C++ for g++: the stand-in, the kernels' source as it is, and an entry per kernel."""
    launches = "".join(
        f"""
extern "C" const char* launch_{kernel.name}(void** arguments, const std::size_t* sizes,
                                            std::size_t count, unsigned int grid,
                                            unsigned int block, std::size_t shared_bytes) {{
  if (!host::fits({kernel.name}, sizes, count)) return "arguments of the wrong number or sizes";
  return host::launch([](void** a) {{ host::call({kernel.name}, a); }}, arguments, grid, block,
                      smoothcert::smoothcert_shared, shared_bytes);
}}
"""
        for kernel in kernels
    )
    return (
        f'#include "{STAND_IN.name}"\n{loader.source(*kernels)}\n'
        "namespace smoothcert { unsigned int smoothcert_shared[host::kMaxSharedWords]; }\n"
        f"{launches}"
    )


class HostRuntime:
    """Kernels built for the CPU, launched on numpy arrays.

    Skips the test where there is no g++.
    """

    def __init__(self, kernels: Sequence[Kernel], extra_flags: Sequence[str] = ()) -> None:
        compiler = shutil.which("g++")
        if compiler is None:
            pytest.skip("needs g++, to build the kernels for the CPU")
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "kernels.so"
            command = [compiler, *FLAGS, *WARNINGS, *extra_flags, f"-I{STAND_IN.parent}"]
            built = subprocess.run(
                [*command, "-x", "c++", "-", "-o", str(library)],
                input=translation_unit(kernels),
                text=True,
                capture_output=True,
                check=False,
            )
            assert built.returncode == 0, built.stderr[:4000]
            self._library = ctypes.CDLL(str(library))
        self._lock = threading.Lock()  # the stand-in's threads are global state

    def allocate(
        self, shape: int | tuple[int, ...], dtype: npt.DTypeLike
    ) -> npt.NDArray[np.generic]:
        """An uninitialised array, aligned to 256 bytes as device memory is."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = np.full(size + 256, 0xCD, np.uint8)
        start = -memory.ctypes.data % 256
        return memory[start : start + size].view(dtype).reshape(shape)

    def launch(
        self,
        kernel: Kernel,
        grid: int,
        block: int,
        arguments: Sequence[Argument],
        shared_bytes: int = 0,
    ) -> None:
        """Run the kernel on `grid` blocks of `block` threads; returns when it is done.

        Asserts what a device leaves undefined: arguments of other sizes, barriers and exchanges
        that some threads miss, writes beyond the shared memory asked for.
        """
        raw = [_raw(argument) for argument in arguments]
        values = [ctypes.create_string_buffer(value, len(value)) for value in raw]
        pointers = (ctypes.c_void_p * len(raw))(*map(ctypes.addressof, values))
        sizes = (ctypes.c_size_t * len(raw))(*map(len, raw))
        entry = self._library[f"launch_{kernel.name}"]
        entry.restype = ctypes.c_char_p
        with self._lock:
            fault = entry(
                pointers,
                sizes,
                ctypes.c_size_t(len(raw)),
                grid,
                block,
                ctypes.c_size_t(shared_bytes),
            )
        assert fault is None, f"{kernel.name}: {fault.decode()}"


def _raw(argument: Argument) -> bytes:
    """The bytes of one kernel parameter."""
    if isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        return argument.ctypes.data.to_bytes(8, "little")
    return argument.tobytes()


@lru_cache(maxsize=1)
def host_runtime() -> HostRuntime:
    """All kernels on the CPU; skips the test where there is no g++."""
    return HostRuntime(all_kernels())
