"""One step of the GPU suite in this process: what gpu_suite.py starts.

python benchmarks/gpu_step.py STAGE STEP RESULT.json FOLDER [--rehearse]
"""

import contextlib
import importlib
import json
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_steps import Step, step_of

if TYPE_CHECKING:
    from gpu_machine import Machine

_TESTS = Path(__file__).parents[1] / "tests"


def outcome_of(step: Step, machine: "Machine") -> dict[str, Any]:
    """{"result": what the step returned}, or "failed" or "skipped" with the reason in one line."""
    from gpu_machine import SkippedError

    from smoothcert.engine.base.errors import DeviceUnavailableError, MissingPartError, one_line

    try:
        function = getattr(importlib.import_module(step.module), step.function)
        return {"result": function(machine, **step.options)}
    except (SkippedError, MissingPartError, DeviceUnavailableError) as missing:
        return {"skipped": one_line(missing, 400)}
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {one_line(error, 400)}"}


@contextlib.contextmanager
def opened(folder: Path, *, rehearse: bool) -> Iterator["Machine"]:
    """The GPU, or what stands in for it."""
    if not rehearse:
        from gpu_machine import gpu_machine

        yield gpu_machine(folder)
        return
    sys.path[:0] = [str(_TESTS / "cupy_kernels" / "host"), str(_TESTS / "helpers")]
    from gpu_rehearsal import rehearsed

    with rehearsed(folder) as machine:
        yield machine


def main(stage: str, name: str, result: Path, folder: Path, *, rehearse: bool) -> None:
    """Write the outcome, whole or not at all."""
    from smoothcert.engine.base.errors import InputError, one_line

    step, start = step_of(stage, name), time.monotonic()
    try:
        with opened(folder, rehearse=rehearse) as machine:
            found = outcome_of(step, machine)
    except InputError as missing:  # no GPU, or nothing that can use it
        found = {"skipped": one_line(missing, 400)}
    found["step_seconds"] = round(time.monotonic() - start, 2)
    written = result.with_suffix(".part")
    written.write_text(json.dumps(found), encoding="utf-8")
    written.rename(result)


if __name__ == "__main__":
    stage, name, result, folder, *options = sys.argv[1:]
    main(stage, name, Path(result), Path(folder), rehearse="--rehearse" in options)
