"""The kernels under compute-sanitizer: accesses out of bounds, and races in shared memory."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gpu_checks
from gpu_machine import CheckError, Machine, SkippedError

_ERRORS = 9
_KERNELS = Path(__file__).with_name("gpu_kernels.py")
_SUMMARY = re.compile(r"=+ ((ERROR|RACECHECK) SUMMARY: .*)")


def kernels(machine: Machine) -> dict[str, Any]:
    """Each kernel a few times on small inputs, the guide in global and in shared memory.

    Without the sanitizer it leaves them compiled in CuPy's cache, so that only the kernels are
    watched.
    """
    found = [
        gpu_checks.noise_is_bit_exact(machine, (3, 15, 7), 16, sigmas=(0.25, 4.0)),
        # More than 2^18 pixels, in as few rows as can be: the guide is in shared memory.
        gpu_checks.noise_is_bit_exact(machine, (3, 224, 224), 2, sigmas=(0.25,)),
    ]
    gpu_checks.votes_are_exact(machine)
    names = sorted({kernel for each in found for kernel in each["kernels"]})
    guides = {name.rpartition("_")[2] for name in names}
    if guides != {"shared", "global"}:
        raise CheckError(f"only {names} ran")
    return {"line": f"{len(names)} kernels of noise, and votes", "kernels": names}


def watched(machine: Machine, tool: str) -> dict[str, Any]:
    """The same in a process of its own under compute-sanitizer's memcheck or racecheck."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/cuda/bin"))
    sanitizer = shutil.which("compute-sanitizer", path=places)
    if sanitizer is None:
        raise SkippedError("compute-sanitizer is not installed")
    command = [sanitizer, "--tool", tool, "--error-exitcode", str(_ERRORS), sys.executable]
    done = subprocess.run([*command, str(_KERNELS)], capture_output=True, text=True, check=False)
    print(done.stdout[-8000:], done.stderr[-8000:], flush=True)
    summaries = _SUMMARY.findall(done.stdout + done.stderr)
    said = summaries[-1][0] if summaries else f"no summary, exit {done.returncode}"
    if done.returncode or not summaries:
        raise CheckError(f"{tool}: {said}")
    return {"line": said}
