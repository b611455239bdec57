"""A module that the caller goes on training."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from host_device import HostDevice
from torch import nn

from smoothcert.engine.backends import live_module
from smoothcert.engine.backends.base import Backend, Rows
from smoothcert.engine.backends.device import opening
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.backends.live_module import LiveModule, in_eval_mode
from smoothcert.engine.base.errors import DeviceUnavailableError, InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian

LAW = LatticeGaussian(0.25)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 4), nn.BatchNorm1d(4), nn.Dropout(0.9))


def live(module: nn.Module) -> LiveModule:
    return LiveModule(module, InputSpec(3, 4, 4), 4, LAW, 3, 32)


def votes(backend: Backend) -> list[int]:
    backend.place(0, 1, np.full((3, 4, 4), 128, np.uint8))
    count = np.arange(32, dtype=np.uint32)
    backend.submit(Rows(np.zeros(32, np.int32), count, np.ones(32, np.uint32)))
    found: list[int] = backend.collect().tolist()
    return found


def test_it_runs_in_eval_mode_and_stays_as_it_was() -> None:
    module = network().train()
    module[2].eval()  # a part that its owner keeps frozen
    modes = [part.training for part in module.modules()]
    with live(module).ready() as backend:
        first = votes(backend)
        assert not any(part.training for part in module.modules())
    assert [part.training for part in module.modules()] == modes
    with live(module.eval()).ready() as backend:
        assert votes(backend) == first


def test_modes_come_back_after_an_error() -> None:
    module = network().train()
    with pytest.raises(ZeroDivisionError), in_eval_mode(module):
        1 // 0  # noqa: B018
    assert all(part.training for part in module.modules())


def test_changed_weights_are_seen_and_new_memory_opens_anew() -> None:
    module: Any = network().eval()
    running = live(module)
    with running.ready() as first:
        before = votes(first)
    with torch.no_grad():
        module[1].weight.neg_()
        module[1].bias.neg_()
    with running.ready() as second:
        assert second is first
        assert votes(second) != before
    module[1].weight.data = module[1].weight.data.clone()
    with running.ready() as third:
        assert third is not first


class OnGpu(nn.Sequential):
    """A network that says that it is on a GPU."""

    def parameters(self, recurse: bool = True) -> Any:
        return iter([_Parameter()])


class _Parameter:
    device = torch.device("cuda:1")
    dtype, shape = torch.float32, (1,)

    def data_ptr(self) -> int:
        return 0


def on_gpu() -> nn.Module:
    return OnGpu(nn.Flatten(), nn.Linear(48, 4))


def test_without_what_the_gpu_needs_noise_is_the_cpus_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unavailable(index: int) -> HostDevice:
        raise DeviceUnavailableError(f"CuPy has no compiler for cuda:{index}")

    monkeypatch.setattr(opening, "open_runtime", unavailable)
    # It says that it is on a GPU, and there is none to run it on.
    monkeypatch.setattr(live_module, "examined", lambda backend, *_: backend)
    with (
        pytest.warns(UserWarning, match="drawn on the CPU: CuPy has no compiler for cuda:1"),
        live(on_gpu()).ready() as backend,
    ):
        assert isinstance(backend, HostBackend)


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(index: int) -> HostDevice:
        raise ZeroDivisionError

    monkeypatch.setattr(opening, "open_runtime", broken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as refused, live(on_gpu()).ready():
            pass
    assert isinstance(refused.value.__cause__, ZeroDivisionError)


class Changes(nn.Module):
    """A linear classifier whose forward does more than that: `also`, with a buffer at hand."""

    kept: torch.Tensor

    def __init__(self, also: Callable[["Changes", torch.Tensor], None]) -> None:
        super().__init__()
        self.linear = nn.Linear(48, 4)
        self.register_buffer("kept", torch.zeros(4))
        self.also = also
        self.active = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(x.flatten(1))
        if self.active:
            self.also(self, logits)
        return logits


def adds(module: Changes, logits: torch.Tensor) -> None:
    module.kept.add_(1)


def replaces(module: Changes, logits: torch.Tensor) -> None:
    module.kept = module.kept + 1


def normalises(module: Changes, logits: torch.Tensor) -> None:
    """A kernel writes to the buffer, which torch does not count."""
    nn.functional.batch_norm(logits, module.kept, torch.ones(4), training=True)


def switches_back(module: Changes, logits: torch.Tensor) -> None:
    module.linear.train()


@pytest.mark.parametrize(
    ("also", "words"),
    [
        (adds, "changes kept while it runs"),
        (replaces, "changes kept while it runs"),
        (normalises, "changes a buffer while it runs"),
        (switches_back, "switches linear to training mode"),
    ],
)
@pytest.mark.parametrize("from_the_first", [True, False])
def test_a_module_that_changes_while_it_runs_is_refused(
    also: Callable[[Changes, torch.Tensor], None], words: str, from_the_first: bool
) -> None:
    """Whether or not what it changes has been seen to change an answer."""
    module = Changes(also)
    running = live(module)
    module.active = from_the_first
    if not from_the_first:
        with running.ready() as backend:
            votes(backend)
    module.active = True
    with pytest.raises(InputError, match=words), running.ready() as backend:
        votes(backend)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x - x.mean(dim=0), "the base classifier gives an image other logits in another"),
        (
            lambda x: nn.functional.dropout(x, 0.5, training=True),
            "when the same batch is run again",
        ),
    ],
)
def test_a_module_that_is_no_function_of_a_row_is_refused(
    change: Callable[[torch.Tensor], torch.Tensor], words: str
) -> None:
    class Wrong(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = super().forward(x)  # type: ignore[no-untyped-call]
            return change(logits)

    with pytest.raises(InputError, match=words), live(Wrong(*network())).ready():
        pass


def test_it_says_that_it_was_probed() -> None:
    with live(network()).ready() as backend:
        known = backend.describe()["row_independence"]
    assert known["verdict"] == "probed"
    assert known["largest_change"] <= 1e-3
