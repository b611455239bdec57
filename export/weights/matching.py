"""Weights under an architecture's own names: the one reading of a file's names that fits it.

A prefix is removed because the rest is then what the architecture wants, never because it is on a
list: a network that is a Sequential has names `1.*` of its own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_DEEPEST = 6
_COUNTER = "num_batches_tracked"
# Levels of names that torch itself adds inside a network: DataParallel, or compile, of a part.
_INNER = re.compile(r"(?<![^.])(?:module|_orig_mod)\.")

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Reading:
    """How a file's names become an architecture's, and what does not fit then.

    names      by the file's name, the architecture's
    how        a few words of what was done, "" where names are taken as they are
    prefix     that every name lost
    missing    names that the architecture has and the file has not
    extra      the file's names that the architecture has not
    misshaped  the file's names of another shape than the architecture's
    """

    names: Mapping[str, str]
    how: str
    prefix: str
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misshaped: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the architecture has all that it wants, whatever else is in the file."""
        return not self.missing and not self.misshaped

    @property
    def fits(self) -> bool:
        """Whether file and architecture agree, name by name and shape by shape."""
        return self.complete and not self.extra

    @property
    def problems(self) -> int:
        """How much does not fit."""
        return len(self.missing) + len(self.extra) + len(self.misshaped)


def best_reading(given: Shapes, wanted: Shapes) -> Reading:
    """The reading that fits, else the one that fits best; as they are before any other."""
    readings = list(_readings(given, wanted))
    return next((reading for reading in readings if reading.fits), None) or min(
        readings, key=lambda reading: reading.problems
    )


def complete_prefixes(given: Shapes, wanted: Shapes) -> tuple[str, ...]:
    """The prefixes under which alone a whole network lies; "", which comes first, where one lies
    beside those."""
    whole = tuple(
        prefix
        for prefix in _heads(given, every=False)
        if read(_below(given, prefix), wanted, "", prefix).fits
    )
    rest = {name: shape for name, shape in given.items() if not name.startswith(whole)}
    return ("", *whole) if whole and read(rest, wanted, "").fits else whole


def read(given: Shapes, wanted: Shapes, how: str, prefix: str = "") -> Reading:
    """The reading in which every name of the file loses a prefix that it has."""
    return _read({name: name[len(prefix) :] for name in given}, given, wanted, how, prefix)


def shapes_of(state: "Mapping[str, torch.Tensor]") -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor."""
    return {name: () if tensor.is_nested else tuple(tensor.shape) for name, tensor in state.items()}


def _readings(given: Shapes, wanted: Shapes) -> Iterator[Reading]:
    for prefix in _heads(given, every=True):
        yield read(given, wanted, f"prefix {prefix} removed" if prefix else "", prefix)
    inner = {name: _INNER.sub("", name) for name in given}
    if len(set(inner.values())) == len(inner):
        yield _read(inner, given, wanted, "levels `module` and `_orig_mod` of names removed")
    for prefix in _heads(wanted, every=True):
        if prefix:
            added = {name: prefix + name for name in given}
            yield _read(added, given, wanted, f"prefix {prefix} added")


def _read(
    names: Mapping[str, str], given: Shapes, wanted: Shapes, how: str, prefix: str = ""
) -> Reading:
    there = set(names.values())
    return Reading(
        names,
        how,
        prefix,
        # Checkpoints from before 2018 lack the counters of batch norm, which inference never reads.
        tuple(name for name in wanted if name not in there and not name.endswith(_COUNTER)),
        tuple(name for name, own in names.items() if own not in wanted),
        tuple(name for name, own in names.items() if own in wanted and given[name] != wanted[own]),
    )


def _heads(names: Shapes, every: bool) -> list[str]:
    """The dotted prefixes that names begin with, "" first: those of every name, or of any."""
    found: dict[str, int] = {"": len(names)}
    for name in names:
        parts = name.split(".")[:-1][:_DEEPEST]
        for depth in range(1, len(parts) + 1):
            head = ".".join(parts[:depth]) + "."
            found[head] = found.get(head, 0) + 1
    return [head for head, count in found.items() if not every or count == len(names)]


def _below(names: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in names.items() if name.startswith(prefix)}
