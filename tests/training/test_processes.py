"""Devices, and a training by two processes that torchrun starts."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.export.checkpoint import read_checkpoint
from smoothcert.training.processes import processes

# Without batch norm, whose statistics are each process's own, and without noise and crops, whose
# draws are, two processes compute what one does.
LINEAR = """
from torch import nn
def net(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 32), nn.Tanh(), nn.Linear(32, num_classes))
"""

# A thread of the group that outlives Python aborts the process, now and then.
COMMAND = """
from pathlib import Path
from smoothcert.cli.main import main
try:
    main()
finally:
    threads = [name.read_text().strip() for name in Path("/proc/self/task").glob("*/comm")]
    assert "pt_gloo_runloop" not in threads, threads
"""


@pytest.mark.parametrize("name", ["gpu", "mps", "cuda:x", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"device '?{name}'?"), processes(name):
        pass


def test_a_single_process_is_the_first() -> None:
    with processes("cpu") as place:
        assert (place.rank, place.world, place.first) == (0, 1, True)
        assert place.total(torch.ones(2)).tolist() == [1.0, 1.0]


def test_one_gpu_is_not_enough_for_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused = pytest.raises(InputError, match="device cuda:0 is one GPU for 2 processes")
    with refused, processes("cuda:0"):
        pass


def test_processes_that_cannot_meet_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="expected to be started by torchrun"), processes("cpu"):
        pass


def test_two_processes_train_what_one_does(array_file: Callable[..., Path], tmp_path: Path) -> None:
    """53 images in batches of 16: of the last step one process has 3 images, the other 2."""
    (tmp_path / "linear_net.py").write_text(LINEAR)
    (tmp_path / "command.py").write_text(COMMAND)
    train, test = array_file("train.npz", 53), array_file("test.npz", 9, seed=1)
    states, logs = [], []
    for start, out in (
        ([], "one"),
        (["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"], "two"),
    ):
        command = [sys.executable, *start, "command.py", "train", str(train), out]
        command += ["--test", str(test), "--arch", "linear_net:net", "--sigma", "0"]
        command += ["--epochs", "3", "--batch", "16", "--lr", "0.05", "--device", "cpu"]
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1, done.stdout
        states.append(read_checkpoint(tmp_path / out / "checkpoint.pth.tar").state)
        logs.append((tmp_path / out / "log.txt").read_text().splitlines())
    one, two = states
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=1e-4, atol=1e-6)
    for left, right in zip(logs[0][1:], logs[1][1:], strict=True):
        numbers = [[float(field) for field in line.split("\t")[2:]] for line in (left, right)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-3)
