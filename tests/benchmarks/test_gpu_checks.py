"""The GPU suite's checks find what is wrong, each in a place where something is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gpu_checks
import gpu_commands
import gpu_smooth
import numpy as np
import pytest
import torch
from gpu_machine import CheckError, Machine
from gpu_rehearsal import rehearsed
from host_device import HostDevice

from smoothcert.engine import Smooth
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.torch_graph.variants import Recipe
from smoothcert.engine.log.rows import COLUMNS


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with rehearsed(tmp_path) as found:
        yield found


def test_a_wrong_kernel_is_found(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = gpu_checks._expected

    def off_by_one_bit(*arguments: Any) -> Any:
        bits = expected(*arguments)
        bits[3, 1, 7] ^= 1
        return bits

    monkeypatch.setattr(gpu_checks, "_expected", off_by_one_bit)
    with pytest.raises(CheckError, match="1 of 360 differ"):
        gpu_checks.noise_is_bit_exact(machine, (3, 5, 3), 8)


def test_a_guide_that_was_not_where_it_was_to_be_is_found() -> None:
    small = Machine(HostDevice("eager", shared_memory=1024), "cpu", small=True)
    with pytest.raises(CheckError, match="expected kernels with"):
        gpu_checks.noise_in_large_batches(small, "float16")


def test_wrong_votes_are_found(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    download = Machine.download

    def one_more(self: Machine, *arguments: Any) -> Any:
        votes = download(self, *arguments)
        votes[5] += 1
        return votes

    monkeypatch.setattr(Machine, "download", one_more)
    with pytest.raises(CheckError, match="votes on float32: 1 of 64 differ"):
        gpu_checks.votes_are_exact(machine)


def test_launches_that_disagree_are_found(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect, calls = DeviceBackend.collect, 0

    def worse_with_time(self: DeviceBackend) -> Any:
        nonlocal calls
        calls += 1
        votes = collect(self)
        return votes if calls <= 6 else (votes + 1) % 10

    monkeypatch.setattr(DeviceBackend, "collect", worse_with_time)
    with pytest.raises(CheckError, match=r"again: .* of 24 differ"):
        gpu_checks.launches_agree(machine, "eager", "float32")


def test_a_fused_network_that_votes_otherwise_is_found(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def negated(self: Recipe) -> torch.nn.Module:
        return torch.nn.Sequential(self.eager(), _Negation())

    monkeypatch.setattr(Recipe, "fused", negated)
    with pytest.raises(CheckError, match=r"float32: .* of 24 votes differ"):
        gpu_checks.fused_votes_as_eager(machine)


class _Negation(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -x


@pytest.mark.parametrize(
    ("check", "method", "found", "message"),
    [
        (gpu_smooth.changed_weights_are_seen, "predict", lambda *_: 0, "changed in place: class 0"),
        (gpu_smooth.modes_come_back, "certify", lambda self, *_: self.base_classifier.eval() and
         (1, 0.0), "the modes are not those of before"),
        (gpu_smooth.modes_come_back, "certify", lambda self, *_: (1, float(next(
            self.base_classifier.modules()).training)), "another certificate than in eval mode"),
    ],
)  # fmt: skip
def test_a_smooth_that_is_stale_or_careless_is_found(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    check: Callable[[Machine], Any],
    method: str,
    found: Callable[..., Any],
    message: str,
) -> None:
    monkeypatch.setattr(Smooth, method, found)
    with pytest.raises(CheckError, match=message):
        check(machine)


def test_a_command_that_fails_is_one_line(machine: Machine) -> None:
    missing = machine.folder / "none.onnx"
    with pytest.raises(CheckError, match=r"smoothcert certify: .*none\.onnx") as caught:
        gpu_commands._run("certify", missing, "x.npz", machine.folder / "o.tsv", "--sigma", "1")
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckError, match=r"smoothcert audit: .*no-such-option"):
        gpu_commands._run("audit", "--no-such-option")


def log(path: Path, predict: list[int], counts: list[int]) -> Path:
    rows = [
        dict(
            zip(
                COLUMNS,
                [i, 0, p, "0.5", 1, "0:00:01", c, 1000, 100, 1100, "-", "0" * 16],
                strict=True,
            )
        )
        for i, (p, c) in enumerate(zip(predict, counts, strict=True))
    ]
    lines = ["\t".join(COLUMNS), *("\t".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_logs_that_differ_by_more_than_rounding_are_found(tmp_path: Path) -> None:
    predict, counts = [0] * 20, np.full(20, 800)
    ours = log(tmp_path / "ours.tsv", predict, counts.tolist())
    few = log(tmp_path / "few.tsv", predict, (counts - np.eye(20, dtype=int)[3] * 3).tolist())
    found = gpu_commands._compared(few, ours, "fp32")
    assert found["counts_differ"] == {3: 3}
    assert found["line"] == "1 of 20 counts differ by up to 3, 0 classes"
    many = log(tmp_path / "many.tsv", predict, (counts - np.eye(20, dtype=int)[3] * 4).tolist())
    with pytest.raises(CheckError, match="differ by up to 4 of 1000"):
        gpu_commands._compared(many, ours, "fp32")
    assert gpu_commands._compared(many, ours, "fp16")["counts_differ"] == {3: 4}
    other = log(tmp_path / "other.tsv", [1, 1, 1, *predict[3:]], counts.tolist())
    with pytest.raises(CheckError, match="3 of 20 images have another class"):
        gpu_commands._compared(other, ours, "fp16")
