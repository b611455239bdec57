"""Sources and loading of the CUDA kernels.

A kernel's source is one self-contained text: its `.cu` file, the headers it includes in place, and
one line that instantiates it. The text is what every compiler gets (NVRTC through CuPy or
cuda.core, nvcc through PyCUDA, g++ in the tests), and what CuPy's cache of compiled kernels on disk
goes by: that cache does not look into included files.
"""

import importlib
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

LAYOUTS = {
    "nchw": "Nchw",
    "nhwc3": "Nhwc3",
    "nhwc3_pad4": "Nhwc3Pad4",
    "nhwc3_pad8": "Nhwc3Pad8",
    "nhwc1_pad4": "Nhwc1Pad4",
    "nhwc1_pad8": "Nhwc1Pad8",
}
"""Memory layouts of an input: nchw for any number of channels; nhwcC channels last for C of them,
padded with zeros to 4 or 8 elements a position where the name says so."""

SCALARS = {"float32": "Float32", "float16": "Float16", "bfloat16": "Bfloat16"}
"""Number types of inputs and logits."""

COMPILE_OPTIONS = ("--std=c++17",)
"""For NVRTC and nvcc, besides the architecture."""

MAX_BLOCK = 512
"""Threads a block, at most, of every kernel; a multiple of 32."""


@dataclass(frozen=True)
class Kernel:
    """A kernel: its name (C linkage), the file it is in and the line that instantiates it."""

    name: str
    file: str
    instantiation: str = ""


def noise_add_kernel(layout: str, scalar: str, *, shared_guide: bool) -> Kernel:
    """inputs[r] = scale * (images[slot of r] + noise of r) + shift, in the network's input type.

    layout        of LAYOUTS
    scalar        of SCALARS
    shared_guide  look the guide table up in shared memory, of which every block then needs
                  guide_bytes(...) bytes; otherwise in global memory, for small batches and for
                  devices with less shared memory

    Arguments, arrays in device memory:

    * images uint8 [slots, C*H*W], CHW order; image_ids uint32 [slots]
    * rows uint32 [num_rows, 4]: slot (as int32; -1: padding, its input is left alone), sample
      index, purpose, padding; 16-byte aligned
    * num_rows, C, H*W: uint32. Channels-last layouts need the C of their name.
    * scale, shift: float32 [C]
    * seed: uint64
    * entries uint32, first int32, thresholds uint64 of the noise table; guide_bits, number of
      thresholds: uint32
    * inputs: [num_rows, ...] in the layout

    Any one-dimensional grid and block up to MAX_BLOCK gives the same bits. Raises ValueError for
    an unknown layout or scalar.
    """
    guide = "shared" if shared_guide else "global"
    name = f"noise_add_{layout}_{scalar}_{guide}"
    arguments = (
        _one_of(LAYOUTS, layout, "layout"),
        _one_of(SCALARS, scalar, "number type"),
        f"{guide.capitalize()}Guide",
    )
    return Kernel(name, "noise_add.cu", f"NOISE_ADD({name}, {', '.join(arguments)})")


def guide_bytes(guide_bits: int) -> int:
    """Dynamic shared memory, in bytes, of a block of a noise_add_kernel with shared_guide."""
    return 4 << guide_bits


def vote_kernel(scalar: str) -> Kernel:
    """The class of every row's logits.

    A row votes for its largest logit, the lowest class of equals; a row with a logit that is not
    finite, and padding, votes for none: class -1.

    Arguments, arrays in device memory:

    * logits of `scalar` [num_rows, num_classes]; rows as in noise_add_kernel
    * num_rows, num_classes: uint32
    * classes int32 [num_rows], written

    One warp a row; any one-dimensional grid, blocks of a multiple of 32 up to MAX_BLOCK. Raises
    ValueError for an unknown scalar.
    """
    name = f"vote_{scalar}"
    return Kernel(name, "vote.cu", f"VOTE({name}, {_one_of(SCALARS, scalar, 'number type')})")


def source(*kernels: Kernel) -> str:
    """The self-contained CUDA C++ text of the kernels."""
    included: set[str] = set()
    files = "".join(_inline(kernel.file, included) for kernel in kernels)
    return files + "".join(f"{kernel.instantiation}\n" for kernel in kernels)


class KernelError(RuntimeError):
    """A kernel cannot be had, for a reason of this installation; the message is one line.

    Its __cause__ is what CuPy raised.
    """


def load(kernel: Kernel) -> Any:
    """The kernel as a CuPy function, `function(grid, block, arguments, shared_mem=bytes)`.

    Compiled once per architecture (CuPy keeps the binary on disk), loaded once per process and
    device: the function is that of whichever device is current when it is called, and so is its
    attribute max_dynamic_shared_size_bytes; the device that is current now has it loaded when this
    returns. Scalar arguments must be numpy scalars of the documented types. A guide in shared
    memory is beyond the 48 KiB that CUDA grants unasked: set that attribute.
    Raises KernelError where CuPy is missing or broken, and where the kernel cannot be compiled
    (NVRTC missing, or refusing it) or loaded.
    """
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise KernelError(
            f"the GPU kernels need CuPy, which cannot be imported ({_line(error)}): "
            "pip install 'smoothcert[gpu]'"
        ) from error
    try:
        function = _function(kernel)
        _ = function.kernel  # loads it on this device, too
    except (RuntimeError, ImportError, OSError, cupy.cuda.compiler.CompileException) as error:
        raise KernelError(
            f"the GPU kernel {kernel.name} cannot be compiled or loaded ({_line(error)}): expected "
            "the NVRTC of the CUDA that CuPy is built for, which pip install 'smoothcert[gpu]' "
            "brings"
        ) from error
    return function


@lru_cache(maxsize=64)
def _function(kernel: Kernel) -> Any:
    """The kernel's cupy.RawKernel, which keeps a loaded function for each device by itself."""
    cupy = importlib.import_module("cupy")
    module = cupy.RawModule(code=source(kernel), options=COMPILE_OPTIONS)
    return module.get_function(kernel.name)


def _line(error: Exception) -> str:
    """What an error says, in one line of a readable length."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _one_of(choices: dict[str, str], name: str, what: str) -> str:
    if name not in choices:
        raise ValueError(f"{what} {name!r} is unknown: expected one of {', '.join(choices)}")
    return choices[name]


def _inline(file: str, included: set[str]) -> str:
    """The text of a source file with the headers it includes in place, each once."""
    if file in included:
        return ""
    included.add(file)
    text = (resources.files("smoothcert.cupy_kernels") / file).read_text(encoding="utf-8")
    return re.sub(r'#include "(.+?)"\n', lambda match: _inline(match[1], included), text)
