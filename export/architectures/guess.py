"""Which of our architectures a checkpoint's names and shapes are those of, where it does not say:
a word for the user, who decides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smoothcert.engine.base.errors import InputError
from smoothcert.export.architectures import NAMES, architecture
from smoothcert.export.weights.matching import best_reading, shapes_of

if TYPE_CHECKING:
    import torch
    from torch import nn

_SIDES = (224, 32, 28)
"""Of the inputs that are tried: the shape of small_cnn's weights depends on it."""


@dataclass(frozen=True)
class Resemblance:
    """One of NAMES, and C, H, W of an input for which it has these names and shapes."""

    arch: str
    shape: tuple[int, int, int]


def resembled(state: "dict[str, torch.Tensor]", num_classes: int | None) -> Resemblance | None:
    """The only one of NAMES that has exactly these names and shapes, or None."""
    if num_classes is None:
        return None
    first = next((t for t in state.values() if not t.is_nested and t.ndim == 4), None)
    if first is None:
        return None
    given = shapes_of(state)
    fitting = {
        name: shape
        for name in NAMES
        for shape, made in _made(name, num_classes, int(first.shape[1]))
        if best_reading(given, shapes_of(made.state_dict())).fits
    }
    return Resemblance(*fitting.popitem()) if len(fitting) == 1 else None


def _made(
    name: str, num_classes: int, channels: int
) -> "Iterator[tuple[tuple[int, int, int], nn.Module]]":
    """The architecture, for every size of input that makes a difference, without memory."""
    import torch

    for side in _SIDES if name == "small_cnn" else _SIDES[:1]:
        try:
            shape = channels, side, side
            with torch.device("meta"):
                yield shape, architecture(name, num_classes, shape)
        except InputError:  # its package is not installed
            return
