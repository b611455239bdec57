"""Indices of images as ascending runs: a set that is as cheap as its description, however large."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import overload

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown

RUN = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?")
"""An index, or a run of them with both its ends."""


class Runs(Sequence[int]):
    """Distinct indices, ascending.

    ranges  ascending ones, each above the one before it
    Length, membership and slices cost by the number of ranges; a slice's step is positive.
    """

    def __init__(self, ranges: Iterable[range]) -> None:
        self._ranges = tuple(filter(None, ranges))
        self._starts = [each[0] for each in self._ranges]
        self._ends = list(accumulate(map(len, self._ranges)))

    @classmethod
    def of(cls, indices: Iterable[int]) -> "Runs":
        """Of distinct integers in any order."""
        return cls(_joined(range(index, index + 1) for index in sorted(indices)))

    @classmethod
    def parse(cls, text: str) -> "Runs":
        """The inverse of `text`, of at least one index; raises InputError."""
        ranges, least = [], 0
        for part in text.split(","):
            match = RUN.fullmatch(part)
            first = int(match[1]) if match else -1
            last = int(match[2] or first) if match else -1
            if not least <= first <= last:
                raise InputError(
                    f"{shown(part)} is no run of indices above those before it: expected such as "
                    "0-3,7,9, ascending"
                )
            ranges.append(range(first, last + 1))
            least = last + 1
        return cls(ranges)

    def text(self) -> str:
        """The indices in words: 0-3,7,9."""
        blocks = _joined(chain.from_iterable(map(_blocks, self._ranges)))
        return ",".join(str(b[0]) if len(b) == 1 else f"{b[0]}-{b[-1]}" for b in blocks)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._ranges)

    def __contains__(self, index: object) -> bool:
        if not isinstance(index, int):
            return False
        place = bisect_right(self._starts, index)
        return place > 0 and index in self._ranges[place - 1]

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> "Runs": ...

    def __getitem__(self, key: int | slice) -> "int | Runs":
        if isinstance(key, slice):
            return self._slice(*key.indices(len(self)))
        place = range(len(self))[key]
        number = bisect_right(self._ends, place)
        return self._ranges[number][place - (self._ends[number - 1] if number else 0)]

    def _slice(self, first: int, last: int, step: int) -> "Runs":
        found, start = [], 0
        for each, end in zip(self._ranges, self._ends, strict=True):
            low = max(first, start + (first - start) % step)  # the first of the slice from here on
            found.append(each[low - start : max(0, min(last, end) - start) : step])
            start = end
        return Runs(found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self.text() == other.text()

    def __hash__(self) -> int:
        return hash(self.text())

    def __repr__(self) -> str:
        return f"Runs({self.text()!r})"


def _blocks(each: range) -> Iterator[range]:
    """A range in parts without gaps."""
    if each.step == 1:
        yield each
    else:
        yield from (range(index, index + 1) for index in each)


def _joined(blocks: Iterable[range]) -> Iterator[range]:
    """Ascending ranges of step 1, those that touch as one."""
    current = range(0)
    for block in blocks:
        if current and block.start == current.stop:
            current = range(current.start, block.stop)
            continue
        if current:
            yield current
        current = block
    if current:
        yield current
