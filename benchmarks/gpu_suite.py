"""Everything there is to check and to time on a GPU, in minutes, into one JSON file.

python benchmarks/gpu_suite.py OUT.json [--minutes 8] [--checks-only]

Correctness comes first, and what fails is in the file too. What this machine lacks is skipped with
its reason. benchmarks/gpu_suite.sh runs this, and the checks again under compute-sanitizer.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gpu_checks
import gpu_times
import torch
from gpu_machine import Machine

from smoothcert.engine.backends.device.network import DeviceNetwork
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.backends.opening import open_network
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.machine import describe_machine
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.architectures import architecture
from smoothcert.export.precision.reduce import Precision
from smoothcert.export.random_model import write_random_model


@dataclass(frozen=True)
class Workload:
    """A network with random weights, and the batches it is timed at."""

    arch: str
    spec: InputSpec
    classes: int
    batch: int
    original_samples: int
    original_batch: int


WORKLOADS = (
    Workload("resnet50", InputSpec(3, 224, 224), 1000, 512, 2000, 1000),
    Workload("cifar_resnet110", InputSpec(3, 32, 32), 10, 2048, 10_000, 1000),
)


@dataclass
class Suite:
    """Runs steps, one after the other, and keeps what they return, or why they did not run."""

    deadline: float
    results: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        """The step's result, which is kept; None where it failed or was skipped."""
        if time.monotonic() > self.deadline:
            self.skipped[name] = "no time was left"
            return None
        start = time.monotonic()
        try:
            result = work()
        except InputError as error:  # what this machine lacks
            self.skipped[name] = str(error)
            return None
        except Exception as error:
            traceback.print_exc()
            self.failed[name] = f"{type(error).__name__}: {one_line(error)}"
            return None
        self.results[name] = result
        print(f"{time.monotonic() - start:7.1f} s  {name}: {json.dumps(result)[:300]}", flush=True)
        return result


def run_checks(suite: Suite, machine: Machine, arch: str = "cifar_resnet20") -> None:
    """Everything that must hold before a figure means anything."""
    suite.step("noise is bit-exact", lambda: gpu_checks.noise_is_bit_exact(machine))
    suite.step(
        "noise is bit-exact, odd sides",
        lambda: gpu_checks.noise_is_bit_exact(machine, (3, 15, 7), 64),
    )
    suite.step("votes are exact", lambda: gpu_checks.votes_are_exact(machine))
    torch.manual_seed(0)
    spec = InputSpec(3, 32, 32)
    module = architecture(arch, 10, spec.shape)
    suite.step("launches agree", lambda: gpu_checks.launches_agree(machine, module, spec, 10))


def run_times(suite: Suite, machine: Machine, workloads: tuple[Workload, ...] = WORKLOADS) -> None:
    """Bandwidth and kernels, then each workload on every network that this machine offers."""
    size = 2**30 if machine.on_gpu else 2**20
    copied = suite.step("copy bandwidth", lambda: gpu_times.copy_bandwidth(machine, size))
    bandwidth = copied["median"] if copied else float("nan")
    for work in workloads:
        for scalar, layout in (("float16", "nhwc3"), ("float16", "nchw"), ("float32", "nchw")):
            suite.step(
                f"noise kernel, {work.arch}, {scalar} {layout}",
                lambda w=work, s=scalar, n=layout: gpu_times.noise_kernel(  # type: ignore[misc]
                    machine, w.spec, w.batch, s, n, bandwidth
                ),
            )
        for scalar in ("float16", "float32"):
            suite.step(
                f"vote kernel, {work.arch}, {scalar}",
                lambda w=work, s=scalar: gpu_times.vote_kernel(  # type: ignore[misc]
                    machine, w.batch, w.classes, s, bandwidth
                ),
            )
    with tempfile.TemporaryDirectory() as folder:
        for work in workloads:
            torch.manual_seed(0)
            module = architecture(work.arch, work.classes, work.spec.shape).eval()
            suite.step(
                f"original loop, {work.arch}",
                lambda w=work, m=module: gpu_times.original(  # type: ignore[misc]
                    machine, m, w.spec, w.classes, w.original_samples, w.original_batch
                ),
            )
            for name, opener in openers(work, module, machine, Path(folder)):
                suite.step(
                    f"pipeline, {work.arch}, {name}",
                    lambda o=opener: gpu_times.pipeline(machine, o),  # type: ignore[misc]
                )
                if machine.on_gpu:
                    torch.cuda.empty_cache()


def openers(
    work: Workload, module: torch.nn.Module, machine: Machine, folder: Path
) -> Iterator[tuple[str, Callable[[], DeviceNetwork]]]:
    """The networks of a workload by name; opening one raises InputError where it cannot be had."""

    def in_torch(scalar: str, *, last: bool) -> Callable[[], DeviceNetwork]:
        return lambda: TorchDeviceNetwork(
            module,
            work.spec,
            work.classes,
            work.batch,
            scalar=scalar,
            channels_last=last,
            device=machine.torch_device,
        )

    yield "torch float16 channels last", in_torch("float16", last=True)
    yield "torch float32", in_torch("float32", last=False)
    if not machine.on_gpu:
        return

    def from_onnx(backend: str, precision: Precision) -> Callable[[], DeviceNetwork]:
        path = folder / f"{work.arch}_{precision}.onnx"

        def opened() -> DeviceNetwork:
            if not path.exists():
                write_random_model(
                    work.arch,
                    path,
                    input_shape=work.spec.shape,
                    num_classes=work.classes,
                    precision=precision,
                    target="gpu",
                )
            return open_network(open_onnx(path), 0, backend, work.batch)

        return opened

    # The provider for CUDA has no integer kernels for quantised pairs.
    precisions: dict[str, tuple[Precision, ...]] = {
        "tensorrt": ("fp16", "int8", "fp32"),
        "onnxruntime": ("fp16", "fp32"),
    }
    for backend, several in precisions.items():
        for precision in several:
            yield f"{backend} {precision}", from_onnx(backend, precision)


def gpu_machine() -> Machine:
    """The first GPU, by CuPy and torch; raises InputError where one of them cannot use it."""
    from smoothcert.engine.backends.device.cupy_runtime import CupyRuntime

    runtime = CupyRuntime(0)
    if not torch.cuda.is_available():
        raise InputError(
            f"torch {torch.__version__} sees no GPU, and CuPy does: expected a torch with CUDA"
        )
    return Machine(runtime, "cuda:0")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=8.0, help="no step starts after these")
    parser.add_argument("--checks-only", action="store_true")
    options = parser.parse_args()
    start = time.monotonic()
    try:
        machine = gpu_machine()
    except InputError as error:
        print(f"gpu_suite: {error}", file=sys.stderr)
        return 2
    suite = Suite(start + 60 * options.minutes)
    run_checks(suite, machine)
    if not options.checks_only:
        run_times(suite, machine)
    record = {
        "machine": {**describe_machine(), **machine.runtime.describe(), "torch": torch.__version__},
        "results": suite.results,
        "failed": suite.failed,
        "skipped": suite.skipped,
        "seconds": time.monotonic() - start,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for what, steps in (("skipped", suite.skipped), ("FAILED", suite.failed)):
        for name, reason in steps.items():
            print(f"{what}  {name}: {reason}")
    print(f"{options.out}: {len(suite.results)} steps in {record['seconds']:.0f} s")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
