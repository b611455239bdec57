"""`Smooth` on a module that lives on a GPU: what a user of the original interface has."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_machine import CheckError, Machine, SkippedError

from smoothcert.engine import Smooth
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.opening import load_module
from smoothcert.export.random_model import random_module

_DATA = Path(__file__).parents[1] / "data"
_CHECKPOINT, _IMAGES = _DATA / "fashion_mnist_sigma25.pth", _DATA / "fashion_mnist_500.npz"
SIGMA, SEED = 0.25, 0
_NEAR = 0.02  # of a radius: a few votes of thousands, which rounding turns


def same_certificate_as_the_cpu(machine: Machine) -> dict[str, Any]:
    """The demo's module on both: the same class, the same radius up to a few votes."""
    count, n = (2, 100) if machine.small else (10, 5_000)
    with np.load(_IMAGES) as file:
        images = file["images"][:count]
    here, there = (
        Smooth(
            load_module(_CHECKPOINT, "small_cnn", 10, (1, 28, 28)).to(device), 10, SIGMA, seed=SEED
        )
        for device in ("cpu", machine.torch_device)
    )
    equal, farthest = 0, 0.0
    with _no_warning():
        for image in images:
            x = torch.from_numpy(np.atleast_3d(image).transpose(2, 0, 1).copy()).float() / 255
            on_cpu = here.certify(x, 100, n, 0.001, 500)
            on_gpu = there.certify(x, 100, n, 0.001, 500)
            equal += on_cpu == on_gpu
            if on_cpu[0] == on_gpu[0]:
                farthest = max(farthest, abs(on_cpu[1] - on_gpu[1]))
            elif Smooth.ABSTAIN not in (on_cpu[0], on_gpu[0]):
                raise CheckError(f"class {on_gpu[0]} on the GPU, {on_cpu[0]} on the CPU")
    if farthest > _NEAR:
        raise CheckError(f"radii differ by up to {farthest:.4f}: expected at most {_NEAR}")
    return {
        "line": f"{equal} of {count} certificates equal, radii at most {farthest:.4f} apart",
        "equal": equal,
        "images": count,
        "farthest": farthest,
    }


def changed_weights_are_seen(machine: Machine) -> dict[str, Any]:
    """Weights written in place between two calls, and weights in new memory."""
    last = torch.nn.Linear(4, 2)
    module = torch.nn.Sequential(torch.nn.Flatten(), last).to(machine.torch_device)
    smooth, x = Smooth(module, 2, SIGMA), torch.full((1, 2, 2), 128 / 255)
    with torch.no_grad(), _no_warning():
        last.weight.zero_()
        for label in (0, 1, 0):
            last.bias.copy_(_bias(label, machine))
            _expect("in place", smooth.predict(x, 50, 0.001, 10), label)
        for label in (1, 0):
            last.bias.data = _bias(label, machine)
            _expect("in new memory", smooth.predict(x, 50, 0.001, 10), label)
    return {"line": "in place and in new memory"}


def _bias(label: int, machine: Machine) -> torch.Tensor:
    return torch.tensor([1.0 - label, float(label)]).to(machine.torch_device)


def _expect(how: str, found: int, label: int) -> None:
    if found != label:
        raise CheckError(f"weights changed {how}: class {found}, expected {label}")


def modes_come_back(machine: Machine) -> dict[str, Any]:
    """A module in training mode, dropout and all, is certified in eval mode and left in training;
    a part that its owner keeps in eval mode stays so."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Dropout(0.9), torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2)
    ).to(machine.torch_device)
    x = torch.zeros(1, 2, 2)
    with _no_warning():
        expected = Smooth(module.eval(), 2, SIGMA, seed=SEED).certify(x, 20, 500, 0.001, 10)
        module.train()
        module[3].eval()
        before = [part.training for part in module.modules()]
        smooth = Smooth(module, 2, SIGMA, seed=SEED)
        for _ in range(2):
            if smooth.certify(x, 20, 500, 0.001, 10) != expected:
                raise CheckError("another certificate than in eval mode")
            if [part.training for part in module.modules()] != before:
                raise CheckError("the modes are not those of before")
    return {"line": f"certificate {expected}"}


def two_gpus(machine: Machine) -> dict[str, Any]:
    """A module on the second GPU while the first is the current one: the same certificate, and the
    first is still current."""
    if torch.cuda.device_count() < 2:
        raise SkippedError("needs two GPUs")
    spec = InputSpec(3, 32, 32)
    x = torch.zeros(spec.shape)
    module = random_module("cifar_resnet20", 10, spec.shape)
    with _no_warning():
        found = [
            Smooth(module.to(device), 10, SIGMA, seed=SEED).certify(x, 20, 1000, 0.001, 100)
            for device in ("cuda:0", "cuda:1", "cuda:0")
        ]
    if len(set(found)) > 1:
        raise CheckError(f"certificates {found}")
    if torch.cuda.current_device() != 0:
        raise CheckError("the current device has changed")
    return {"line": f"certificate {found[0]} on both"}


@contextmanager
def _no_warning() -> Iterator[None]:
    """Noise that falls back to the CPU says so in a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if "drawn on the CPU" in str(warning.message):
            raise CheckError(str(warning.message))
