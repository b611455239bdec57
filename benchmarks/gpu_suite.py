"""Everything there is to check and to time on a GPU, in stages, as JSON lines.

python benchmarks/gpu_suite.py --stage STAGE ... [--out OUT] [--rehearse]

checks     at most  50 s: noise bit for bit (sigmas, number types, layouts, odd sides, the guide in
           shared and in global memory), votes, graphs against single launches, fused against eager
cli        at most  90 s: doctor; export; certify with every backend, in half precision, tuned, from
           a checkpoint, transferred; each resumed, audited and compared with the CPU's log
smooth     at most  30 s: Smooth on a CUDA module: certificates, changed weights, modes, two GPUs
sanitizer  at most  80 s: memcheck and racecheck, side by side
rivals     at most 180 s: torch.compile, eager torch and the original's loop against ours
networks   at most 340 s: ResNet-50 and ResNet-110 eager, fused, tuned, in ONNX Runtime; kernels

Several stages may be named, or `all`: 13 minutes at most. Where a call may take ten, the first is
`--stage checks cli smooth sanitizer rivals`, the second `--stage networks`.

Every step is a process of its own under `timeout`, so that a crash, a hang or a limit costs one
step; it is a line {"step", "seconds", "result" | "failed" | "skipped"} of OUT/STAGE.jsonl as soon
as it ends, and what it printed is in OUT/suite.log. Steps that check run side by side; those that
time, one at a time. --rehearse does it all on a CPU, tiny, and skips what only CUDA has. Exit 0, or
1 where a step failed, or 2 without a GPU.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from gpu_steps import STAGES, Stage, Step

_STEP = Path(__file__).with_name("gpu_step.py")
_LOGGED = 20_000  # characters of what one step prints
_KILL_AFTER = 3
_TELLING = {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
_WIDTH, _LINES = 160, 3  # of a step in the table
_PACKAGES = (
    "smoothcert", "torch", "triton", "cupy-cuda13x", "onnxruntime", "onnxruntime-gpu", "numpy",
    "tensorrt", "tensorrt-rtx-cu13",
)  # fmt: skip


@dataclass
class Run:
    """Where a run of the suite puts things; `command` is what runs a step, before its arguments."""

    out: Path
    folder: Path
    rehearse: bool = False
    command: tuple[str, ...] = (sys.executable, str(_STEP))
    table: list[str] = field(default_factory=list)
    failures: int = 0

    def stage(self, name: str, stage: Stage) -> dict[str, dict[str, Any]]:
        """Run a stage's steps; returns their outcomes by name, which are in its file too."""
        self.out.mkdir(parents=True, exist_ok=True)
        cores = len(os.sched_getaffinity(0))
        at_once = max(1, min(stage.at_once, cores))
        deadline = time.monotonic() + stage.budget
        waiting, running = list(stage.steps), list[_Process]()
        outcomes: dict[str, dict[str, Any]] = {}
        with (self.out / f"{name}.jsonl").open("a", encoding="utf-8") as lines:

            def ended(step: Step, outcome: dict[str, Any]) -> None:
                outcomes[step.name] = outcome
                _append(lines, {"step": step.name, **outcome})
                self._tell(name, step, outcome, f"{len(outcomes)}/{len(stage.steps)}")

            _append(lines, {"step": "machine", "result": describe(self.rehearse)})
            while waiting or running:
                for process in [each for each in running if each.ended()]:
                    running.remove(process)
                    ended(process.step, process.outcome(self.out / "suite.log"))
                for step in list(waiting):
                    left = deadline - time.monotonic()
                    reason = self._reason_against(step, outcomes, left)
                    if reason is not None:
                        waiting.remove(step)
                        ended(step, {"seconds": 0.0, "skipped": reason})
                    elif len(running) < at_once and (step.needs is None or step.needs in outcomes):
                        waiting.remove(step)
                        threads = cores if at_once == 1 else max(1, cores // at_once)
                        running.append(_Process(self, name, step, left, threads))
                time.sleep(0.02)
        return outcomes

    def _reason_against(
        self, step: Step, outcomes: Mapping[str, Mapping[str, Any]], left: float
    ) -> str | None:
        """Why a step is not begun at all."""
        if self.rehearse and step.cuda is not None:
            return f"needs CUDA: {step.cuda}"
        needed = outcomes.get(step.needs) if step.needs else None
        if needed is not None and "result" not in needed:
            return f"needs the result of {step.needs!r}"
        return "no time was left in this stage" if left < 1 else None

    def _tell(self, stage: str, step: Step, outcome: Mapping[str, Any], number: str) -> None:
        state = next(each for each in ("failed", "skipped", "result") if each in outcome)
        found = outcome[state]
        said = found.get("line", "") if isinstance(found, Mapping) else found
        title = {"failed": "FAILED", "skipped": "skipped", "result": "ok"}[state]
        if "ended" in outcome:
            said = f"({outcome['ended']} after its result) {said}"
        self.failures += state == "failed" or "ended" in outcome
        seconds = f"{outcome['seconds']:6.1f} s"
        whole = f"{stage:9} {step.name:36} {title:7} {seconds}  {said}"
        self.table += textwrap.wrap(
            whole, _WIDTH, subsequent_indent=" " * 20, max_lines=_LINES, drop_whitespace=False
        )
        print(f"{stage} {number} {title} {seconds}  {step.name}", flush=True)


class _Process:
    """A step that is running."""

    def __init__(self, run: Run, stage: str, step: Step, left: float, threads: int) -> None:
        self.step = step
        self._limit = max(1, round(min(step.limit, left)))
        self._start = time.monotonic()
        self._place = Path(tempfile.mkdtemp(dir=run.folder))
        self._said = (self._place / "said.txt").open("w", encoding="utf-8")
        self._title = f"{stage}: {step.name}"
        arguments = [stage, step.name, str(self._place / "result.json"), str(run.folder)]
        self._process = subprocess.Popen(
            [
                "timeout", f"--kill-after={_KILL_AFTER}", str(self._limit), *run.command,
                *arguments, *(["--rehearse"] if run.rehearse else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_TELLING, "OMP_NUM_THREADS": str(threads)},
        )  # fmt: skip

    def ended(self) -> bool:
        """Whether it has, in whatever way."""
        return self._process.poll() is not None

    def outcome(self, log: Path) -> dict[str, Any]:
        """What it found, or how it ended without; what it said goes into the log."""
        seconds, status = time.monotonic() - self._start, self._process.returncode
        self._said.close()
        said = (self._place / "said.txt").read_text(encoding="utf-8", errors="replace")
        with log.open("a", encoding="utf-8") as file:
            file.write(f"==== {self._title}: exit {status}\n{said[-_LOGGED:]}\n")
        ending = self._ending(status)
        outcome: dict[str, Any] = {"seconds": round(seconds, 2)}
        try:
            outcome |= json.loads((self._place / "result.json").read_text(encoding="utf-8"))
        except OSError:
            return {**outcome, "failed": f"{ending or 'no result'}: {_last_words(said)}"}
        return outcome if ending is None else {**outcome, "ended": ending}

    def _ending(self, status: int) -> str | None:
        """None for a process that ended as it should. `timeout` exits 124, ends as its command
        did, or by the signal 9 that it sent at last."""
        signal = -status if status < 0 else max(0, status - 128)
        over = time.monotonic() - self._start > self._limit
        if status == 124 or (signal == 9 and over):
            return f"stopped at its limit of {self._limit} s"
        if signal:
            return f"died of signal {signal}"
        return f"exit {status}" if status else None


def _last_words(said: str) -> str:
    """The last line of what a process said, or where a crash was."""
    _, crashed, traceback = said.partition("Fatal Python error: ")
    lines = [line for line in said.splitlines() if line.strip()] or ["it said nothing"]
    if crashed:
        lines = [line for line in traceback.splitlines() if line.startswith("  File")] or lines
    return " ".join(lines[0 if crashed else -1].split())[:300]


def _append(lines: TextIO, record: Mapping[str, Any]) -> None:
    lines.write(json.dumps(record) + "\n")
    lines.flush()
    os.fsync(lines.fileno())


def describe(rehearse: bool) -> dict[str, Any]:
    """This machine, for the head of a stage's file."""
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    query = ("--query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit", "--format=csv")
    return {
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "rehearsal": rehearse,
        "python": sys.version.split()[0],
        "cores": len(os.sched_getaffinity(0)),
        "versions": versions,
        "gpu": _said_by("nvidia-smi", *query),
        "commit": _said_by("git", "rev-parse", "HEAD"),
    }


def _said_by(*command: str) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=10, cwd=_STEP.parent
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stage", nargs="+", choices=[*STAGES, "all"], required=True)
    parser.add_argument("--out", type=Path, default=Path("out/gpu"), help="[default: out/gpu]")
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args()
    if not options.rehearse:
        from smoothcert.engine.backends.device.driver import require_gpu
        from smoothcert.engine.base.errors import InputError

        try:
            require_gpu(0, "the GPU suite")
        except InputError as error:
            print(f"gpu_suite: {error}", file=sys.stderr)
            return 2
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(options.out, Path(folder), options.rehearse)
        for name, stage in STAGES.items():
            if name in options.stage or "all" in options.stage:
                run.stage(name, stage)
    print("\n".join(run.table))
    print(f"{options.out}: {time.monotonic() - start:.0f} s, {run.failures or 'no'} failures")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
