"""The kernels compile for every architecture, within a budget of registers and without spills."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from host_runtime import all_kernels

from smoothcert.cupy_kernels import loader
from smoothcert.cupy_kernels.loader import Kernel

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
EVERY_KERNEL = ("sm_75", "sm_90")  # the oldest, which lacks instructions, and the one that counts
# 1,024 threads a multiprocessor need 64 registers or fewer; three channels at once take more, but
# leave room for 640.
BUDGETS = {"noise_add_nhwc3": 96, "noise_add": 64, "vote": 32}


def some_kernels() -> tuple[Kernel, ...]:
    """The usual inputs of engines, and all that is short to compile."""
    return (
        loader.noise_add_kernel("nchw", "float32", shared_guide=False),
        loader.noise_add_kernel("nchw", "float16", shared_guide=True),
        loader.noise_add_kernel("nhwc3_pad8", "float16", shared_guide=True),
        loader.noise_add_kernel("nhwc3", "bfloat16", shared_guide=True),
        *(loader.vote_kernel(scalar) for scalar in loader.SCALARS),
    )


def resources(cubin: bytes, folder: Path) -> dict[str, dict[str, int]]:
    """What each kernel of a cubin takes, by cuobjdump: REG, STACK, LOCAL, SHARED."""
    pathfinder = pytest.importorskip("cuda.pathfinder", reason="needs cuda-pathfinder")
    tool = shutil.which("cuobjdump") or pathfinder.find_nvidia_binary_utility("cuobjdump")
    if tool is None:
        pytest.skip("needs cuobjdump: pip install 'smoothcert[kernel-tests]'")
    file = folder / "kernels.cubin"
    file.write_bytes(cubin)
    text = subprocess.run(
        [tool, "-res-usage", str(file)], check=True, capture_output=True, text=True
    ).stdout
    return {
        name: {key: int(value) for key, value in re.findall(r"\b([A-Z]+):(\d+)", usage)}
        for name, usage in re.findall(r"Function (\w+):\s*(.*)", text)
    }


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_registers_and_spills(architecture: str, tmp_path: Path) -> None:
    cuda = pytest.importorskip("cuda.core", reason="needs cuda-core and NVRTC, to compile kernels")
    kernels = all_kernels() if architecture in EVERY_KERNEL else some_kernels()
    (standard,) = loader.COMPILE_OPTIONS
    options = cuda.ProgramOptions(arch=architecture, std=standard.removeprefix("--std="))
    program = cuda.Program(loader.source(*kernels), "c++", options)
    usage = resources(bytes(program.compile("cubin").code), tmp_path)
    assert set(usage) == {kernel.name for kernel in kernels}
    for name, used in usage.items():
        budget = next(limit for prefix, limit in BUDGETS.items() if name.startswith(prefix))
        assert 0 < used["REG"] <= budget, name
        assert used["STACK"] == used["LOCAL"] == 0, name
