"""What the first batch finds out: logits that overflow, and a network that is another function."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from host_device import HostDevice
from torch import nn

from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.backends.first_batch import (
    TOLERANCE,
    OverflowsError,
    check_first_batch,
    passing,
)
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

LAW = LatticeGaussian(0.25)
SHAPE = (3, 6, 6)
WEIGHT = np.random.default_rng(0).normal(size=(4, 108)).astype(np.float32)


@pytest.fixture
def reference(linear_model: Callable[..., Path]) -> Model:
    return open_onnx(linear_model(WEIGHT, np.zeros(4), SHAPE))


class Linear(nn.Module):
    """The same matrix; what comes out is changed by `change`."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(WEIGHT))
        self.change = change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.change(x.flatten(1) @ self.weight.T)


def check(
    model: Model,
    change: Callable[[torch.Tensor], torch.Tensor],
    scalar: str = "float32",
    *,
    equal: bool = True,
) -> None:
    module = Linear(change).eval().to(getattr(torch, scalar))
    network = TorchDeviceNetwork(module, model.spec, 4, 16, scalar=scalar, device="cpu")
    backend = DeviceBackend(HostDevice("eager"), network, LAW, 9)
    check_first_batch(backend, model, LAW, 9, equal=equal)


@pytest.mark.parametrize("scalar", ["float32", "float16", "bfloat16"])
def test_the_same_function_passes(reference: Model, scalar: str) -> None:
    check(reference, lambda logits: logits, scalar)


@pytest.mark.parametrize(
    ("scalar", "precision"), [("float32", "fp32"), ("float16", "fp16"), ("bfloat16", "bf16")]
)
def test_logits_beyond_the_tolerance_are_found(
    reference: Model, scalar: str, precision: str
) -> None:
    def moved(logits: torch.Tensor) -> torch.Tensor:
        scale = logits.abs().max()
        return logits + 2 * TOLERANCE[precision] * scale

    with pytest.raises(InputError, match=f"in {precision} has logits that are up to .* from ONNX"):
        check(reference, moved, scalar)
    check(reference, moved, scalar, equal=False)  # only overflow is asked for


def test_a_row_in_the_place_of_another_is_found(reference: Model) -> None:
    with pytest.raises(InputError, match="of their scale from ONNX Runtime's"):
        check(reference, lambda logits: logits.roll(1, dims=0))


def test_overflow_is_told_from_logits_that_no_precision_has(reference: Model) -> None:
    def overflows(logits: torch.Tensor) -> torch.Tensor:
        return torch.where(logits == logits[0], torch.inf, logits)

    for equal in (True, False):
        with pytest.raises(OverflowsError, match=r"overflows in fp16: . of 8 noisy images"):
            check(reference, overflows, "float16", equal=equal)


def test_a_backend_that_does_not_pass_is_closed(reference: Model) -> None:
    """Its memory is what the next attempt needs."""
    for wrong in (False, True):
        module = Linear(lambda logits, wrong=wrong: -logits if wrong else logits).eval()  # type: ignore[misc]
        network = TorchDeviceNetwork(module, reference.spec, 4, 16, device="cpu")
        device = HostDevice("eager")
        backend = DeviceBackend(device, network, LAW, 9)
        if not wrong:
            assert passing(backend, reference, LAW, 9, equal=True) is backend
            continue
        with pytest.raises(InputError, match="of their scale from ONNX Runtime's"):
            passing(backend, reference, LAW, 9, equal=True)
        assert device.released == 1


def test_a_model_without_finite_logits_is_refused(linear_model: Callable[..., Path]) -> None:
    """It would abstain everywhere, without a word."""
    model = open_onnx(linear_model(WEIGHT * np.float32(np.nan), np.zeros(4), SHAPE))
    with pytest.raises(InputError, match="has no finite logits for any noisy image"):
        check(model, lambda logits: logits * torch.nan)


def test_images_of_one_batch_use_the_whole_range(reference: Model) -> None:
    """Black and white under noise, besides what lies between."""
    seen: list[torch.Tensor] = []

    def keep(logits: torch.Tensor) -> torch.Tensor:
        seen.append(logits)
        return logits

    class Sees(Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            keep(x.clone())
            return super().forward(x)

    module = Sees(lambda logits: logits).eval()
    network = TorchDeviceNetwork(module, reference.spec, 4, 16, device="cpu")
    backend = DeviceBackend(HostDevice("eager"), network, LAW, 9)
    check_first_batch(backend, reference, LAW, 9, equal=True)
    means = sorted(seen[-1][:8].mean(dim=(1, 2, 3)).tolist())
    assert means[0] < 0.1
    assert means[-1] > 0.9
