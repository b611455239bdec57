"""Our torch network against what a user would write: one process, blocks that take turns.

The rivals draw their own noise, which is not reproducible and costs them less than ours costs us,
and count on the device; the original's loop is that of Cohen, Rosenfeld, Kolter 2019 in float32.
Each is timed as a loop, and bare: its network alone on a constant batch.
"""

import time
from typing import Any

import torch
from gpu_machine import Machine, in_turns, ratio, spread
from gpu_networks import SIGMA, figures, loops_of, title, torch_opener

from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.base.errors import one_line
from smoothcert.engine.bench.compiled import CompiledLoop
from smoothcert.engine.bench.reference import ReferenceLoop
from smoothcert.engine.bench.rounds import Loop
from smoothcert.engine.noise.lattice import LatticeGaussian

OURS = "ours"
_RUNS_PER_WAIT = 16


class BareLoop:
    """A Loop of a network alone on one input; benchmark: with cudnn.benchmark."""

    def __init__(
        self, name: str, machine: Machine, network: Any, inputs: torch.Tensor, *, benchmark: bool
    ) -> None:
        self.name = name
        self._machine, self._network, self._inputs = machine, network, inputs
        self._benchmark = benchmark
        self._runs = _RUNS_PER_WAIT if machine.on_gpu else 1

    def warm(self, seconds: float) -> None:
        """See Loop.warm."""
        self.run(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        samples, start = 0, time.perf_counter()
        kernels = torch.backends.cudnn.flags(benchmark=self._benchmark, allow_tf32=True)
        with torch.inference_mode(), kernels:
            while True:
                for _ in range(self._runs):
                    self._network(self._inputs)
                    samples += len(self._inputs)
                self._machine.synchronize()
                elapsed = time.perf_counter() - start
                if elapsed >= seconds:
                    return samples, elapsed


def against(machine: Machine, work: str, *, tune: bool) -> dict[str, Any]:
    """Ours in float16, tuned or fused, against each rival; a rival that fails is said."""
    workload = machine.workload(work)
    opened = torch_opener(machine, workload, "fp16", "tuned" if tune else "fused")
    start = time.perf_counter()
    backend = DeviceBackend(machine.runtime, opened(), LatticeGaussian(SIGMA), 0)
    loops = loops_of(OURS, backend)
    opened_in = {OURS: time.perf_counter() - start}
    failed: dict[str, str] = {}
    for name in ("compiled", "eager", "original"):
        start = time.perf_counter()
        try:
            made = _rival(name, machine, work)
            for each in made.values():
                each.warm(0.0)  # compiles
        except Exception as error:  # whatever a compiler raises: the others are still of use
            failed[name] = f"{type(error).__name__}: {one_line(error)}"
            continue
        loops |= made
        opened_in[name] = time.perf_counter() - start
    rates = in_turns(machine, loops)
    described = backend.describe()
    ours, bare = rates[f"{OURS} pipeline"], rates[f"{OURS} bare"]
    said = [f"{title(OURS, described)} {figures(ours, bare)}"]
    result: dict[str, Any] = {
        "line": "",
        "batch": workload.batch,
        "backend": described,
        "opened_in_seconds": opened_in,
        "not_run": failed,
        OURS: {"loop": spread(ours), "bare": spread(bare), "loop_over_bare": ratio(ours, bare)},
    }
    for name in ("compiled", "eager", "original"):
        if name in failed:
            said.append(f"{name} FAILED: {failed[name][:80]}")
            continue
        loop, alone = rates[f"{name} loop"], rates[f"{name} bare"]
        result[name] = {
            "loop": spread(loop),
            "bare": spread(alone),
            "ours_over_loop": ratio(ours, loop),
            "ours_over_bare": ratio(bare, alone),
        }
        said.append(
            f"{name} {figures(loop, alone)}, ours / {name} "
            f"{result[name]['ours_over_loop']['median']:.3f} "
            f"({result[name]['ours_over_bare']['median']:.3f})"
        )
    result["line"] = "; ".join(said)
    backend.close()
    return result


def _rival(name: str, machine: Machine, work: str) -> dict[str, Loop]:
    workload, device = machine.workload(work), machine.torch_device
    module, shape, classes = workload.module(), workload.spec.shape, workload.classes
    if name == "original":
        batch = workload.original_batch
        module = module.to(device)
        constant = torch.rand((batch, *shape), device=device)
        return {
            f"{name} loop": ReferenceLoop(name, module, shape, classes, SIGMA, batch, device),
            f"{name} bare": BareLoop(name, machine, module, constant, benchmark=False),
        }
    loop = CompiledLoop(name, module, shape, classes, SIGMA, workload.batch, device)
    if name == "eager" or not machine.on_gpu:  # a rehearsal compiles nothing
        loop.network = getattr(loop.network, "_orig_mod", loop.network)
    bare = BareLoop(name, machine, loop.network, loop.inputs, benchmark=True)
    return {f"{name} loop": loop, f"{name} bare": bare}
