"""The probe at opening finds whatever makes a row's logits more than a function of the row."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from host_device import HostDevice
from torch import nn

from smoothcert.engine.backends.base import LogitsBackend
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.backends.host.torch_network import TorchNetwork
from smoothcert.engine.backends.probe import ROUNDING, compare_sizes, probe
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian

LAW = LatticeGaussian(0.25)
SPEC = InputSpec(3, 6, 6)
WEIGHT = torch.from_numpy(np.random.default_rng(0).normal(size=(108, 5)).astype(np.float32))
CALLS = itertools.count()

Change = Callable[[torch.Tensor], torch.Tensor]


class Linear(nn.Module):
    """Logits that are summed in double precision and then rounded, so that they are equal to the
    last bit wherever they stand; and what `change` makes of them."""

    def __init__(self, change: Change, before: bool = False) -> None:
        super().__init__()
        self.change, self.before = change, before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        if self.before:
            flat = self.change(flat)
        logits = (flat.double()[:, :, None] * WEIGHT.double()).sum(dim=1).to(x.dtype)
        return logits if self.before else self.change(logits)


def host(change: Change, batch: int, *, before: bool = False, slots: int = 8) -> LogitsBackend:
    network = TorchNetwork(Linear(change, before).eval(), SPEC, 5, batch)
    return HostBackend(network, LAW, 7, num_slots=slots)


def device(change: Change, batch: int, scalar: str = "float32") -> LogitsBackend:
    module = Linear(change).eval().to(getattr(torch, scalar))
    network = TorchDeviceNetwork(module, SPEC, 5, batch, scalar=scalar, device="cpu")
    return DeviceBackend(HostDevice("eager"), network, LAW, 7)


def same(x: torch.Tensor) -> torch.Tensor:
    return x


def by_the_range(x: torch.Tensor) -> torch.Tensor:
    """Eight bits whose scale is the whole batch's, as dynamic quantisation has it."""
    scale = (x.max() - x.min()) / 255
    return (x / scale).round() * scale


def first_is_special(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x[:1] + 1, x[1:]])


def counts_calls(x: torch.Tensor) -> torch.Tensor:
    return x + next(CALLS) % 7


MIXING: dict[str, Change] = {
    "batch mean": lambda x: x - x.mean(dim=0),
    "batch norm in training mode": lambda x: nn.functional.batch_norm(x, None, None, training=True),
    "a batch's range": by_the_range,
    "softmax over the batch": lambda x: x.softmax(dim=0),
    "the next row": lambda x: x.roll(1, dims=0),
    "the first place": first_is_special,
    "ranks in the batch": lambda x: x.argsort(dim=0).float(),
    "a running sum": lambda x: x.cumsum(dim=0),
}
STATEFUL: dict[str, Change] = {
    "dropout": lambda x: nn.functional.dropout(x, 0.5, training=True),
    "noise": lambda x: x + torch.randn_like(x),
    "a counter": counts_calls,
}


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 64, 300])
def test_a_function_of_the_row_passes_bit_for_bit(batch: int) -> None:
    found = probe(host(same, batch), "model m")
    assert (found.equality, found.largest_change) == ("bitwise", 0.0)
    assert 1 <= found.rows <= 64
    assert 2 <= found.batches <= 16


@pytest.mark.parametrize("change", MIXING.values(), ids=MIXING)
@pytest.mark.parametrize("batch", [2, 16, 200])
def test_rows_that_depend_on_each_other(change: Change, batch: int) -> None:
    with pytest.raises(InputError, match="model m gives an image other logits in another place"):
        probe(host(change, batch), "model m")


@pytest.mark.parametrize("change", STATEFUL.values(), ids=STATEFUL)
@pytest.mark.parametrize("batch", [1, 2, 64])
def test_chance_and_state(change: Change, batch: int) -> None:
    with pytest.raises(InputError, match="when the same batch is run again"):
        probe(host(change, batch), "model m")


def test_a_quantised_input_by_the_range_of_the_batch() -> None:
    """It moves logits by a hundredth or two, and hardly a vote."""
    with pytest.raises(InputError, match="of the largest apart, where float rounding explains"):
        probe(host(by_the_range, 64, before=True), "model m")


@pytest.mark.parametrize(("scalar", "precision"), [("float32", "fp32"), ("float16", "fp16")])
def test_rounding_is_told_from_mixing(scalar: str, precision: str) -> None:
    """A backend that sums in another order moves logits a little, and may certify."""

    def jitter(share: float) -> Change:
        def moved(x: torch.Tensor) -> torch.Tensor:
            sign = 2.0 * torch.randint(0, 2, (len(x), 1)) - 1
            return x + (sign * share * x.abs().max()).to(x.dtype)

        return moved

    allowed = ROUNDING[precision]
    found = probe(device(jitter(allowed / 4), 64, scalar), "model m")
    assert found.equality == "rounding"
    assert 0 < found.largest_change <= allowed
    with pytest.raises(InputError, match="when the same batch is run again"):
        probe(device(jitter(2 * allowed), 64, scalar), "model m")


def test_rows_that_overflow_are_compared_too() -> None:
    def overflows(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, torch.inf, x)

    assert probe(host(overflows, 64), "model m").equality == "bitwise"

    def beside(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x >= x.max(), torch.inf, x)

    with pytest.raises(InputError, match="finite in one batch and not in another"):
        probe(host(beside, 64), "model m")


def test_one_slot_is_enough_for_places_and_repetition() -> None:
    assert probe(host(same, 16, slots=1), "m").equality == "bitwise"
    for change in (MIXING["the next row"], STATEFUL["dropout"], MIXING["batch mean"]):
        with pytest.raises(InputError, match="no certificate would hold"):
            probe(host(change, 16, slots=1), "m")


def test_a_vote_that_turns_by_a_little_is_no_rounding_where_another_class_clearly_led() -> None:
    """Logits that stay within the tolerance of the largest, whose order is turned by company."""

    def swaps(x: torch.Tensor) -> torch.Tensor:
        big = torch.full_like(x[:, :1], -1e4)
        two = torch.zeros_like(x[:, 1:3])
        two[:, 0] = torch.where(x[:, 0] > x[:, 0].median(), 30.0, -30.0)
        return torch.cat([big, two, x[:, 3:] * 0 - 1e4], dim=1)

    with pytest.raises(InputError, match="no certificate would hold"):
        probe(host(swaps, 64), "model m")


def test_batch_sizes() -> None:
    """What depends on the size of the batch alone shows in another size alone."""

    def by_size(x: torch.Tensor) -> torch.Tensor:
        return x / len(x)

    big, small = host(by_size, 64), host(by_size, 2)
    assert probe(big, "model m").equality == "bitwise"
    with pytest.raises(InputError, match="in a batch of 2 than in one of 64"):
        compare_sizes(big, small, "model m")
    compare_sizes(host(same, 64), host(same, 2), "model m")
