"""All that the GPU suite does, by stage, in the order in which it is done.

A step is a function `function(machine, **options)` of a module beside this one, and what it returns
is kept: `line` of it says the most in one line. A limit is in seconds, and bounds what a hang
costs; a stage's budget bounds the stage: what does not fit is not begun.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """needs: the step of the same stage without whose result this one has no use;
    cuda: why it cannot be rehearsed on a CPU."""

    name: str
    module: str
    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 60
    needs: str | None = None
    cuda: str | None = None


@dataclass(frozen=True)
class Stage:
    """budget: seconds; at_once: the most steps that run side by side, where there are cores."""

    budget: int
    at_once: int
    steps: tuple[Step, ...]


_SCALARS = ("float32", "float16", "bfloat16")

_CHECKS = Stage(50, 12, (
    *(
        Step(f"noise, {guide} batches, {scalar}", "gpu_checks", f"noise_in_{guide}_batches",
             {"scalar": scalar})
        for scalar in _SCALARS
        for guide in ("large", "small")
    ),
    Step("votes", "gpu_checks", "votes_are_exact"),
    *(
        Step(f"launches agree, {variant} {scalar}", "gpu_checks", "launches_agree",
             {"variant": variant, "scalar": scalar})
        for variant, scalar in (("eager", "float32"), ("fused", "float16"))
    ),
    Step("fused votes as eager", "gpu_checks", "fused_votes_as_eager"),
))  # fmt: skip


def _certified(name: str, *options: str, limit: int = 60, **expected: Any) -> Step:
    return Step(
        f"certify, {name}",
        "gpu_commands",
        "certified",
        {"name": name.replace(" ", "_"), "options": options, **expected},
        limit=limit,
        needs="certify on the CPU",
    )


_ORT, _TORCH = ("--backend", "onnxruntime"), ("--backend", "torch")
_FP16 = ("--precision", "fp16")

_CLI = Stage(90, 12, (
    Step("doctor", "gpu_commands", "doctor"),
    Step("export", "gpu_commands", "export"),
    Step("certify on the CPU", "gpu_commands", "on_cpu", needs="export"),
    _certified("torch", *_TORCH, runtime="torch"),
    _certified("onnxruntime", *_ORT, runtime="onnxruntime"),
    _certified("auto"),
    _certified("torch fp16", *_TORCH, *_FP16, runtime="torch", precision="fp16"),
    _certified("precision auto", *_TORCH, "--precision", "auto", runtime="torch",
               precision="fp16"),
    _certified("torch tuned", *_TORCH, *_FP16, "--tune", runtime="torch", precision="fp16",
               limit=80),
    _certified("onnxruntime tuned", *_ORT, "--tune", runtime="onnxruntime", limit=80),
    _certified("checkpoint", *_TORCH, runtime="torch", checkpoint=True),
    _certified("transfer", *_TORCH, *_FP16, runtime="torch", precision="fp16", transfer=True),
))  # fmt: skip

_SMOOTH = Stage(30, 4, (
    Step("same certificate as the CPU", "gpu_smooth", "same_certificate_as_the_cpu"),
    Step("changed weights are seen", "gpu_smooth", "changed_weights_are_seen"),
    Step("modes come back", "gpu_smooth", "modes_come_back"),
    Step("two GPUs", "gpu_smooth", "two_gpus", cuda="there is one CPU"),
))  # fmt: skip

_NO_SANITIZER = "compute-sanitizer watches CUDA alone"

_SANITIZER = Stage(80, 2, (
    Step("kernels", "gpu_sanitizer", "kernels"),
    *(
        Step(tool, "gpu_sanitizer", "watched", {"tool": tool}, needs="kernels", cuda=_NO_SANITIZER)
        for tool in ("memcheck", "racecheck")
    ),
))  # fmt: skip

_RIVALS = Stage(180, 1, (
    Step("resnet50, fused", "gpu_rivals", "against", {"work": "resnet50", "tune": False}, 90),
    Step("cifar_resnet110, tuned", "gpu_rivals", "against",
         {"work": "cifar_resnet110", "tune": True}, 170),
))  # fmt: skip


def _torch(work: str, precision: str, *, tune: bool = False) -> Step:
    title = f"{work} {precision}, torch" + ", tuned" * tune
    function = "torch_tuned" if tune else "torch_variants"
    options = {"work": work, "precision": precision}
    return Step(title, "gpu_networks", function, options, 100 if tune else 40)


def _onnxruntime(work: str) -> Step:
    options = {"work": work, "precision": "fp16", "tune": True}
    return Step(f"{work} fp16, onnxruntime, tuned", "gpu_networks", "onnxruntime", options, 80)


_NETWORKS = Stage(340, 1, (
    _torch("resnet50", "fp16"),
    _torch("cifar_resnet110", "fp16"),
    _torch("resnet50", "fp16", tune=True),
    Step("resnet50 fp16, an ONNX file", "gpu_networks", "front_door",
         {"work": "resnet50", "precision": "fp16"}),
    *(
        Step(f"kernels, {work}", "gpu_times", "kernels", {"work": work}, 40)
        for work in ("resnet50", "cifar_resnet110")
    ),
    _torch("resnet50", "bf16"),
    _torch("resnet50", "fp32"),
    _torch("cifar_resnet110", "fp32"),
    _onnxruntime("resnet50"),
    _onnxruntime("cifar_resnet110"),
    _torch("resnet50", "bf16", tune=True),
    _torch("cifar_resnet110", "fp16", tune=True),  # among the rivals, too
))  # fmt: skip

STAGES: dict[str, Stage] = {
    "checks": _CHECKS,
    "cli": _CLI,
    "smooth": _SMOOTH,
    "sanitizer": _SANITIZER,
    "rivals": _RIVALS,
    "networks": _NETWORKS,
}
"""Correctness first, then what is timed."""


def step_of(stage: str, name: str) -> Step:
    """The step of that name."""
    (found,) = [step for step in STAGES[stage].steps if step.name == name]
    return found
