"""The torch network on host memory: its kernels' choice, tuning, and errors."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from host_device import HostDevice
from torch import nn

from smoothcert.engine.backends.base import Rows
from smoothcert.engine.backends.device import tuning
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.base.errors import DeviceMemoryError, InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian

SPEC = InputSpec(3, 6, 6)
LAW = LatticeGaussian(0.25)


class Linear(nn.Module):
    """Logits by one matrix, after so many seconds; and what cudnn.benchmark was at each call."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(108, 4)
        self.seconds = seconds
        self.benchmarks: list[bool] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.benchmarks.append(torch.backends.cudnn.benchmark)
        time.sleep(self.seconds)
        logits: torch.Tensor = self.linear(x.flatten(1))
        return logits


def opened(module: nn.Module, **options: Any) -> DeviceBackend:
    network = TorchDeviceNetwork(module, SPEC, 4, 16, device="cpu", **options)
    return DeviceBackend(HostDevice("eager"), network, LAW, 9)


def votes(backend: DeviceBackend) -> list[int]:
    image = np.random.default_rng(0).integers(0, 256, SPEC.shape).astype(np.uint8)
    backend.place(0, 1, image)
    backend.submit(
        Rows(np.zeros(16, np.int32), np.arange(16, dtype=np.uint32), np.ones(16, np.uint32))
    )
    found: list[int] = backend.collect().tolist()
    return found


@pytest.fixture
def benchmark_on() -> Any:
    """A process that has switched cudnn.benchmark on for itself."""
    torch.backends.cudnn.benchmark = True
    yield
    torch.backends.cudnn.benchmark = False


@pytest.mark.usefixtures("benchmark_on")
def test_kernels_are_chosen_by_rule_whatever_the_process_has_set() -> None:
    module = Linear().eval()
    votes(opened(module))
    assert not any(module.benchmarks)
    assert torch.backends.cudnn.benchmark


def test_tuning_takes_the_fastest_variant_and_changes_no_vote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tuning, "_BLOCK_SECONDS", 0.01)
    slow, fast = Linear(seconds=0.05).eval(), Linear().eval()

    def broken() -> nn.Module:
        raise RuntimeError("cannot be compiled")

    backend = opened(slow, tune_over={"slow": lambda: slow, "fast": lambda: fast, "no": broken})
    described = backend.describe()
    assert described["tuned"] is True
    assert described["took"].startswith("fast")
    assert sorted(described["rows_per_second"]) == [
        "fast", "fast, cudnn.benchmark", "slow", "slow, cudnn.benchmark",
    ]  # fmt: skip
    assert described["failed"] == {"no": "cannot be compiled"}
    assert set(slow.benchmarks) == {False, True}
    assert votes(backend) == votes(opened(fast))


def test_logits_can_be_looked_at() -> None:
    for scalar, within in (("float32", 1e-6), ("float16", 2e-2), ("bfloat16", 2e-1)):
        module = Linear().eval()
        dtype = getattr(torch, scalar)
        backend = opened(module.to(dtype), scalar=scalar)
        backend.place(0, 1, np.full(SPEC.shape, 128, np.uint8))
        rows = Rows(np.zeros(5, np.int32), np.zeros(5, np.uint32), np.ones(5, np.uint32))
        logits = backend.logits(rows)
        assert logits.dtype == np.float32
        assert logits.shape == (5, 4)
        assert np.array_equal(logits, np.tile(logits[0], (5, 1)))
        own = logits[0].argmax()
        assert votes_of_one(backend) == own
        reference = opened(Linear().eval())
        reference.place(0, 1, np.full(SPEC.shape, 128, np.uint8))
        assert np.abs(reference.logits(rows) - logits).max() <= within


def votes_of_one(backend: DeviceBackend) -> int:
    backend.submit(Rows(np.zeros(1, np.int32), np.zeros(1, np.uint32), np.ones(1, np.uint32)))
    return int(backend.collect()[0])


def out_of_memory(*_: object) -> torch.Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def no_logits(x: torch.Tensor) -> torch.Tensor:
    return x


@pytest.mark.parametrize(
    ("forward", "kind", "message"),
    [
        (out_of_memory, DeviceMemoryError, "no room for a batch of 16 .CUDA out of memory"),
        (no_logits, InputError, "check num_classes"),
    ],
)
def test_errors_are_one_line(
    forward: Callable[..., torch.Tensor], kind: type[Exception], message: str
) -> None:
    module = Linear()
    module.forward = forward  # type: ignore[method-assign]
    with pytest.raises(kind, match=message) as caught:
        opened(module)
    assert "\n" not in str(caught.value)


def test_it_says_what_was_fused_and_lets_go() -> None:
    backend = opened(Linear(), notes={"not_traced": "because"})
    described = backend.describe()
    assert described["convolutions"] == {"fused": 0, "apart": 0}
    assert described["not_traced"] == "because"
    backend.close()
    backend.close()
