"""The ways a module is run on a GPU: as it is, fused, compiled."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.fold import UntraceableError, fold, traced
from smoothcert.engine.backends.torch_graph.fuse import fuse
from smoothcert.engine.backends.torch_graph.lower import lowered
from smoothcert.engine.base.errors import one_line

EAGER, FUSED, COMPILED = "eager", "fused", "compiled"


@dataclass(frozen=True)
class Recipe:
    """What a network is made from.

    module  in eval mode, float32 or the number type of its file; never changed
    scalar  the number type to compute in; None: the module's own
    device  where it is to run
    """

    module: nn.Module
    scalar: str | None
    device: torch.device

    @cached_property
    def _traced(self) -> fx.GraphModule | UntraceableError:
        try:
            return traced(self.module)
        except UntraceableError as error:
            return error

    def untraceable(self) -> str | None:
        """Why it can only run as it is; None where it can be fused."""
        found = self._traced
        return one_line(found) if isinstance(found, UntraceableError) else None

    def variants(self) -> dict[str, Callable[[], nn.Module]]:
        """What makes each variant that can be had here, by name. All compute the same function up
        to float rounding. The compiled one needs triton."""
        made: dict[str, Callable[[], nn.Module]] = {EAGER: self.eager}
        if self.untraceable() is None:
            made[FUSED] = self.fused
        if importlib.util.find_spec("triton") is not None:
            made[COMPILED] = self.compiled
        return made

    def eager(self) -> nn.Module:
        """The module's own operations."""
        return self._lowered(self.module)

    def fused(self) -> nn.Module:
        """Batch normalisation folded, cuDNN's fused convolutions. Raises UntraceableError."""
        return self._lowered(fuse(self._folded()))

    def compiled(self) -> nn.Module:
        """Batch normalisation folded, torch.compile."""
        module = self.module if self.untraceable() else self._folded()
        compiled: nn.Module = torch.compile(self._lowered(module), dynamic=False)  # type: ignore[assignment]
        return compiled

    def _folded(self) -> fx.GraphModule:
        if isinstance(self._traced, UntraceableError):
            raise self._traced
        return fold(traced(self._traced))  # a new graph: folding changes it

    def _lowered(self, module: nn.Module) -> nn.Module:
        return lowered(module, self.scalar).to(self.device)
