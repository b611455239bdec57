"""The sets of weights in a checkpoint: its dicts of tensors, wherever they lie."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smoothcert.export.weights.unpickling import array_of

if TYPE_CHECKING:
    import torch

WHOLE = "."
"""The name of a set that is the file's own dict."""

_DEEPEST = 6
_MOST_PLACES = 8
"""Of one dict, which a pickle may hold in more places than can be counted."""


def weight_sets(content: dict[Any, Any]) -> "dict[str, dict[str, torch.Tensor]]":
    """Every dict of tensors in a checkpoint, by its dotted place in it.

    Numbers alone (an accuracy, a step) are no weights, and neither are tensors under numbers, as
    optimizers keep their state. Of two places that are written alike the later is `PLACE (2)`.
    """
    found: dict[str, dict[str, torch.Tensor]] = {}
    times = Counter[str]()
    for place, values in _dicts(content, (), frozenset(), Counter()):
        tensors = {name: tensor for name, value in dict.items(values)
                   if isinstance(name, str) and (tensor := _tensor(value)) is not None}  # fmt: skip
        if any(tensor.ndim for tensor in tensors.values()):
            written = ".".join(place) or WHOLE
            times[written] += 1
            found[written if times[written] == 1 else f"{written} ({times[written]})"] = tensors
    return found


def _dicts(
    content: dict[Any, Any], place: tuple[str, ...], above: frozenset[int], places: Counter[int]
) -> Iterator[tuple[tuple[str, ...], dict[Any, Any]]]:
    """A dict and those in it, under names alone, each with its place; a pickle may be a cycle.

    A pickle may also hide a dict's `items` behind an attribute: it is not asked for its own.
    """
    if len(place) > _DEEPEST or id(content) in above or places[id(content)] == _MOST_PLACES:
        return
    places[id(content)] += 1
    yield place, content
    for name, value in dict.items(content):
        if isinstance(name, str) and isinstance(value, dict):
            yield from _dicts(value, (*place, name), above | {id(content)}, places)


def _tensor(value: Any) -> "torch.Tensor | None":
    import torch

    if isinstance(value, torch.Tensor):
        # A parameter of a pickle may have attributes of any name, and loses them here.
        return torch.Tensor.detach(value)
    array = array_of(value)
    return None if array is None else torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
