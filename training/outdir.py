"""OUTDIR: checkpoint.pth.tar and log.txt, written so that a killed run can go on."""

import fcntl
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.outputs import check_output
from smoothcert.engine.log.manifest import differences
from smoothcert.export.weights.content import read_content
from smoothcert.training import epoch_log
from smoothcert.training.data import TrainingData
from smoothcert.training.network import load_original_state, original_state
from smoothcert.training.settings import TrainSettings

CHECKPOINT = "checkpoint.pth.tar"
LOG = "log.txt"

_LONGEST = 1e12
"""Seconds of an epoch: more than any takes."""


class TrainingFolder:
    """The files of one training in the original code's format.

    The checkpoint is the dict `epoch, arch, state_dict, optimizer` with further entries: what
    `smoothcert export` reads, the lines of the log, and the settings it was trained with. A run
    goes on from it only where those are the same, workers and device aside; a step schedule may be
    given more epochs.

    Raises InputError where `path` cannot be written or holds something else.
    """

    def __init__(self, path: Path, settings: TrainSettings, data: TrainingData, world: int) -> None:
        self.checkpoint = path / CHECKPOINT
        self._log = path / LOG
        self._settings = settings
        self._data = data
        # What JSON makes of it is comparable with what was saved.
        self._run: dict[str, Any] = json.loads(json.dumps(_run(settings, data, world)))
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{path} cannot be made ({error.strerror}): expected a folder to write to"
            ) from None
        for file in (self.checkpoint, self._log):
            check_output(file, "training's", replace=True)
        if self._log.exists() and not self.checkpoint.exists():
            raise InputError(
                f"{self._log} exists without {CHECKPOINT}: expected an empty folder or one of this "
                "command; choose another"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the folder's only writer; raises InputError where another process is."""
        handle = os.open(self.checkpoint.parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise InputError(
                f"{self.checkpoint.parent} is being written by another process: expected one "
                "training per folder; wait for it, or choose another"
            ) from None
        try:
            yield
        finally:
            os.close(handle)

    def resume(self, network: nn.Sequential, optimizer: Optimizer) -> list[epoch_log.Epoch]:
        """Load the checkpoint, if there is one; returns the epochs that are done. Raises InputError
        where it is of another training, or holds what this command does not write."""
        if not self.checkpoint.exists():
            return []
        saved = self._read()
        done = [epoch_log.Epoch(*row) for row in saved["log"]]
        found = differences(saved["run"], self._run)
        if len(done) > self._settings.epochs:
            found.append(f"epochs {len(done)} (log) against {self._settings.epochs} (asked)")
        if found:
            raise InputError(
                f"{self.checkpoint} is of another training: "
                f"{'; '.join(found).replace('(log)', '(trained)')}: expected the same command; "
                "choose another folder"
            )
        own = original_state(network, self._data.dataset)
        if not _is_like(saved.get("state_dict"), own):
            raise self._foreign("its state_dict is not of this architecture")
        settings = optimizer.state_dict()["param_groups"]  # of the run, which is the same
        momenta = _momenta(saved.get("optimizer"), list(network.parameters()))
        if momenta is None:
            raise self._foreign("its optimizer is not of this architecture")
        load_original_state(network, saved["state_dict"], self._data.dataset)
        optimizer.load_state_dict({"state": momenta, "param_groups": settings})
        return done

    def write(
        self, network: nn.Sequential, optimizer: Optimizer, epochs: list[epoch_log.Epoch]
    ) -> None:
        """Replace the checkpoint, then the log. A run killed in between loses neither: the log is
        written anew from the checkpoint's lines."""
        spec, settings = self._data.spec, self._settings
        content: dict[str, Any] = {
            "epoch": len(epochs),
            "arch": settings.arch,
            "state_dict": original_state(network, self._data.dataset),
            "optimizer": _on_cpu(optimizer.state_dict()),
            "sigma": settings.sigma,
            "seed": settings.seed,
            "num_classes": self._data.num_classes,
            "input_shape": list(spec.shape),
            "mean": list(spec.mean),
            "std": list(spec.std),
            "run": self._run,
            "log": [list(astuple(epoch)) for epoch in epochs],
        }
        if self._data.dataset:
            content["dataset"] = self._data.dataset
        if spec.resize:
            content |= {"resize": spec.resize, "interpolation": spec.interpolation}
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(self.checkpoint, buffer.getvalue())
        self.write_log(epochs)

    def write_log(self, epochs: list[epoch_log.Epoch]) -> None:
        """Replace log.txt."""
        write_atomically(self._log, epoch_log.text(epochs).encode())

    def _read(self) -> dict[str, Any]:
        """The checkpoint's entries, of which `run` is JSON's and `log` has the lines of epochs."""
        try:
            saved = read_content(self.checkpoint)
        except InputError as error:
            why = str(error).partition(": expected")[0]
            raise InputError(
                f"{why}: expected the checkpoint of this command; choose another folder"
            ) from None
        if not isinstance(saved, dict) or "run" not in saved or "log" not in saved:
            raise self._foreign("it has no run and log")
        try:
            run = json.loads(json.dumps(saved["run"]))
        except (TypeError, ValueError, RecursionError):
            run = None
        if not isinstance(run, dict):
            raise self._foreign("its run is none")
        if not _is_log(saved["log"]):
            raise self._foreign("its log is not of epochs")
        return {**saved, "run": run}

    def _foreign(self, why: str) -> InputError:
        return InputError(
            f"{self.checkpoint} was not written by `smoothcert train` ({why}): expected an empty "
            "folder or one of this command; choose another"
        )


def _is_log(log: object) -> bool:
    """Whether it has a line for each epoch, from the first on, as `TrainingFolder.write` does."""
    return isinstance(log, list) and all(
        isinstance(row, list)
        and len(row) == len(fields(epoch_log.Epoch))
        and isinstance(row[0], int)
        and row[0] == epoch
        and all(isinstance(value, float) for value in row[1:])
        and 0 <= row[1] < _LONGEST
        for epoch, row in enumerate(log)
    )


def _is_like(state: object, own: Mapping[str, torch.Tensor]) -> bool:
    """Whether it has the tensors of a network's own state: their names, shapes and types."""
    return (
        isinstance(state, dict)
        and state.keys() == own.keys()
        and all(_is_tensor(state[name], tensor) for name, tensor in own.items())
    )


def _momenta(state: object, weights: list[nn.Parameter]) -> dict[int, Any] | None:
    """What an optimizer's state says of each weight; None where that is not SGD's."""
    saved = state.get("state") if isinstance(state, dict) else None
    if not isinstance(saved, dict):
        return None
    found = {}
    for number, entries in saved.items():
        known = isinstance(number, int) and 0 <= number < len(weights) and isinstance(entries, dict)
        if not known or entries.keys() != {"momentum_buffer"}:
            return None
        buffer = entries["momentum_buffer"]
        if buffer is not None:
            if not _is_tensor(buffer, weights[number]):
                return None
            buffer = buffer.clone()  # its values may share memory in the file, and are updated here
        found[number] = {"momentum_buffer": buffer}
    return found


def _is_tensor(value: object, like: torch.Tensor) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.shape == like.shape
        and value.dtype == like.dtype
        and value.layout == torch.strided
        and value.device.type == "cpu"
    )


def _run(settings: TrainSettings, data: TrainingData, world: int) -> dict[str, Any]:
    """What decides the weights."""
    decisive = asdict(settings)
    if settings.schedule == "step":
        # No earlier step depends on how many epochs will follow.
        del decisive["epochs"]
    return {**decisive, **data.describe(), "processes": world}


def _on_cpu(state: Any) -> Any:
    """An optimizer's state with all tensors on the CPU, so that any machine can load it."""
    if isinstance(state, dict):
        return {key: _on_cpu(value) for key, value in state.items()}
    return state.detach().cpu() if isinstance(state, torch.Tensor) else state
