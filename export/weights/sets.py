"""The sets of weights in a checkpoint: its dicts of tensors, wherever they lie."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from smoothcert.export.weights.unpickling import array_of

if TYPE_CHECKING:
    import torch

WHOLE = "."
"""The name of a set that is the file's own dict."""

_DEEPEST = 6


def weight_sets(content: Mapping[Any, Any]) -> "dict[str, dict[str, torch.Tensor]]":
    """Every dict of tensors in a checkpoint, by its dotted place in it.

    Numbers alone (an accuracy, a step) are no weights, and neither are tensors under numbers, as
    optimizers keep their state.
    """
    found = {}
    for place, values in _dicts(content, (), frozenset()):
        tensors = {name: tensor for name, value in values.items()
                   if isinstance(name, str) and (tensor := _tensor(value)) is not None}  # fmt: skip
        if any(tensor.ndim for tensor in tensors.values()):
            found[".".join(place) or WHOLE] = tensors
    return found


def _dicts(
    content: Mapping[Any, Any], place: tuple[str, ...], above: frozenset[int]
) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """A dict and those in it, under names alone, each with its place; a pickle may be a cycle."""
    if len(place) > _DEEPEST or id(content) in above:
        return
    yield place, content
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, dict):
            yield from _dicts(value, (*place, name), above | {id(content)})


def _tensor(value: Any) -> "torch.Tensor | None":
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach()
    array = array_of(value)
    return None if array is None else torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
