"""The command line on a GPU, with the demo's model and images: what a user types first.

Each step's process does what several commands do; they share the machine's folder.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from gpu_machine import CheckError, Machine

from smoothcert.cli.shell.commands import smoothcert
from smoothcert.engine.base.errors import InputError, one_line

DATA = Path(__file__).parents[1] / "data"
CHECKPOINT, SOURCE = DATA / "fashion_mnist_sigma25.pth", DATA / "fashion_mnist_500.npz"
MODEL, REFERENCE, ON_CPU = "model.onnx", "reference.onnx", "cpu.tsv"
_TURNED = {"fp32": 0.003, "fp16": 0.02, "bf16": 0.05}
"""By precision: the share of an image's votes that rounding may turn. The demo's model has many
images whose classes are close."""


def doctor(machine: Machine) -> dict[str, Any]:
    """It names the GPU, and nothing that is alarming."""
    report = json.loads(_run("doctor", "--json"))
    states = {entry["part"]: entry["state"] for entry in report}
    if machine.on_gpu and states["GPU"] == "none":
        raise CheckError("doctor sees no GPU")
    alarming = [part for part, state in states.items() if state in ("missing", "broken")]
    return {
        "line": f"GPU {states['GPU']}; missing or broken: {', '.join(alarming) or 'nothing'}",
        "states": states,
    }


def export(machine: Machine) -> dict[str, Any]:
    """The demo's checkpoint as ONNX, for the steps after this one."""
    said = _run("export", CHECKPOINT, "-o", machine.folder / MODEL)
    shutil.copyfile(machine.folder / MODEL, machine.folder / REFERENCE)
    return {"line": said.splitlines()[-1]}


def on_cpu(machine: Machine) -> dict[str, Any]:
    """The log that the GPU's are compared with."""
    log = machine.folder / ON_CPU
    options = ("--backend", "onnxruntime", "--batch", "16" if machine.small else "256")
    _run("certify", machine.folder / MODEL, SOURCE, log, *_settings(machine), *options)
    return {"line": f"{len(_rows(log))} images"}


def certified(
    machine: Machine,
    name: str,
    options: Sequence[str],
    runtime: str | None = None,
    precision: str = "fp32",
    *,
    checkpoint: bool = False,
    transfer: bool = False,
) -> dict[str, Any]:
    """A run on the GPU that is interrupted, resumed, audited, and compared with the CPU's.

    name                of its log
    options             further ones of `certify`
    runtime, precision  what must have run the network; None: whatever was taken
    checkpoint          the model is the .pth itself
    transfer            certificates are transferred to the exported model, on the GPU as well
    """
    log = machine.folder / f"{name}.tsv"
    model = CHECKPOINT if checkpoint else machine.folder / MODEL
    arguments = ["certify", model, SOURCE, log, *_settings(machine), "--device", "cuda:0", *options]
    if transfer:
        arguments += ["--transfer-to", machine.folder / REFERENCE]
        arguments += ["--n-zeta", "20"] if machine.small else []
    _run(*arguments)
    backend = _session(log)
    taken = str(backend["runtime"]).partition(" ")[0]
    if runtime not in (None, taken) or backend["precision"] != precision:
        raise CheckError(f"{backend['runtime']} in {backend['precision']} ran it")
    if machine.on_gpu and backend["launches"] != "a graph per batch":
        raise CheckError(f"launched {backend['launches']}")
    again = _resumed(log, arguments, exact=not backend.get("tuned"))
    tuned = ["--another-machine"] if backend.get("tuned") else []
    audited = _run("audit", log, SOURCE, "--rows", "3" if machine.small else "20", *tuned)
    compared = _compared(log, machine.folder / ON_CPU, precision)
    took = f", took {backend['took']}" if "took" in backend else ""
    return {
        "line": f"{backend['runtime']} {precision}{took}: {compared['line']}; {again} resumed",
        "backend": backend,
        "audit": audited.splitlines()[0].rpartition(": ")[2],
        "audited_bit_for_bit": "bit for bit" in audited,
        **{key: value for key, value in compared.items() if key != "line"},
    }


def _settings(machine: Machine) -> tuple[str, ...]:
    images, n, n0 = ("3", "40", "10") if machine.small else ("20", "10000", "100")
    return ("--sigma", "0.25", "--n", n, "--n0", n0, "--max", images, "--seed", "0")


def _run(*arguments: object) -> str:
    """What a command says on stdout. Raises CheckError with its last line where it fails."""
    command = [str(argument) for argument in arguments]
    done = CliRunner().invoke(smoothcert, command)
    print(f"$ smoothcert {' '.join(command)}\n{done.output}", flush=True)
    error = done.exception
    if error is None or (isinstance(error, SystemExit) and not done.exit_code):
        return done.stdout
    if not isinstance(error, SystemExit | InputError):
        raise error
    said = done.output if isinstance(error, SystemExit) else str(error)
    raise CheckError(f"smoothcert {command[0]}: {one_line(said.strip().splitlines()[-1], 400)}")


def _session(log: Path) -> dict[str, Any]:
    """What the last session's backend says of itself."""
    manifest = json.loads(Path(f"{log}.json").read_text(encoding="utf-8"))
    backend: dict[str, Any] = manifest["sessions"][-1]["backend"]
    return backend


def _rows(log: Path) -> dict[int, dict[str, str]]:
    """A log's rows by image, without the time."""
    columns, *rows = (line.split("\t") for line in log.read_text(encoding="utf-8").splitlines())
    return {
        int(row[0]): {name: text for name, text in zip(columns, row, strict=True) if name != "time"}
        for row in rows
    }


def _resumed(log: Path, arguments: Sequence[object], *, exact: bool) -> int:
    """Cut the log within a line, run the same command, and expect the same rows (unless kernels are
    measured anew); returns how many were certified again."""
    before = _rows(log)
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = 1 + len(before) // 2
    log.write_text("".join(lines[:kept]) + lines[kept][:20], encoding="utf-8")
    _run(*arguments)
    after = _rows(log)
    if sorted(after) != sorted(before):
        raise CheckError(f"resumed to {len(after)} images, expected {len(before)}")
    differing = [index for index in before if before[index] != after[index]]
    if exact and differing:
        raise CheckError(f"resumed to other rows of images {differing}")
    return len(before) - (kept - 1)


def _compared(log: Path, other: Path, precision: str) -> dict[str, Any]:
    """How two logs of the same images differ: classes that are others, and votes where they are
    the same."""
    one, two = _rows(log), _rows(other)
    if sorted(one) != sorted(two):
        raise CheckError(f"{len(one)} images, expected {len(two)}")
    other_class = [index for index in one if one[index]["predict"] != two[index]["predict"]]
    votes = {
        index: abs(int(one[index]["count"]) - int(two[index]["count"]))
        for index in one
        if index not in other_class
    }
    differing = {index: count for index, count in votes.items() if count}
    n = int(next(iter(two.values()))["n"])
    largest = max(votes.values(), default=0)
    if largest > max(3, _TURNED[precision] * n) or len(other_class) > len(one) // 10:
        raise CheckError(
            f"{len(other_class)} of {len(one)} images have another class, the others' counts "
            f"differ by up to {largest} of {n}"
        )
    return {
        "line": f"{len(differing)} of {len(one)} counts differ by up to {largest}, "
        f"{len(other_class)} classes",
        "counts_differ": differing,
        "other_classes": other_class,
    }
