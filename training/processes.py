"""The processes of one training: one, or as many as torchrun starts, with one device each."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from smoothcert.engine.base.errors import InputError


@dataclass(frozen=True)
class Processes:
    """This process's place among `world` ones, and its device."""

    rank: int
    world: int
    device: torch.device
    _wrapped: list[DistributedDataParallel] = field(default_factory=list)

    @property
    def first(self) -> bool:
        """Whether this process writes the files and draws the progress."""
        return self.rank == 0

    def averaging(self, network: nn.Module) -> nn.Module:
        """The network with the first process's weights, its gradients averaged over all of them."""
        if self.world == 1:
            return network
        self._wrapped.append(DistributedDataParallel(network))
        return self._wrapped[-1]

    def part(self) -> None:
        """Leave the group, and end its threads: one with a tensor still to release when Python
        ends aborts the process. The network that averages is unusable afterwards."""
        for wrapped in self._wrapped:
            # Whatever frees the group last waits for its threads. The reducer would do so without
            # leaving them the interpreter, which they need: for good.
            del wrapped.logger, wrapped.reducer, wrapped.process_group
        distributed.destroy_process_group()

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of all processes' values, in each of them."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def share(self, network: torch.nn.Module) -> None:
        """Give every process the first one's buffers: batch norm's running statistics."""
        if self.world > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)


@contextmanager
def processes(device: str | None) -> Iterator[Processes]:
    """Join the other processes of torchrun, if there are any, for as long as the context lasts.

    device  "cpu", "cuda", "cuda:0"; None: the GPU if there is one. Under torchrun "cuda" is the
            GPU of the process's local rank. Raises InputError where it cannot be had.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = _device(device, world, local)
    if world == 1:
        yield Processes(0, 1, chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    # DistributedDataParallel imports it, and while there is a group it would hold that for good.
    importlib.import_module("torch._dynamo")
    try:
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    except ValueError as error:
        raise InputError(
            f"WORLD_SIZE is {world}, but the processes cannot meet ({error}): expected to be "
            "started by torchrun; unset WORLD_SIZE for a single process"
        ) from None
    place = Processes(distributed.get_rank(), world, chosen)
    try:
        yield place
    finally:
        place.part()


def _device(name: str | None, world: int, local: int) -> torch.device:
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} is unknown: expected cpu, cuda or cuda:0")
    if device.type == "cpu":
        return device
    if world > 1 and device.index is not None:
        raise InputError(
            f"device {name} is one GPU for {world} processes: expected --device cuda, one GPU each"
        )
    index = local if device.index is None else device.index
    found = torch.cuda.device_count()
    if index >= found:
        raise InputError(
            f"device {name} needs GPU {index}, but this machine has {found} that torch "
            f"{torch.__version__} can use: expected one of those, or --device cpu"
        )
    return torch.device("cuda", index)
