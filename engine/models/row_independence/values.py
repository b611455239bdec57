"""What may be known of a tensor: the abstract values that the walk carries along the graph."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.models.row_independence.sizes import Shape, Size, shape_of, size
from smoothcert.engine.models.row_independence.verdict import Proof, unknown

Array = npt.NDArray[Any]

LARGEST = 1 << 16
"""The most entries of a tensor whose numbers are followed."""
_ROWS_BITS, _INT64_BITS = 20, 62  # a count must hold in int64 for a million rows


@dataclass(frozen=True)
class Constant:
    """Depends on neither the input nor N. Its numbers, or None where only its shape is known."""

    shape: Shape
    value: Array | None = None


@dataclass(frozen=True)
class Counts:
    """int64 entries that are known for every N: an array of Size, at least one of them open."""

    shape: Shape
    value: Array


@dataclass(frozen=True)
class Rows:
    """T[.., (p*N + n)*post + q, ..] = g(row n; p, q, the other indices), with one g for every n
    and every N.

    `axis` has pre*N*post entries and no other axis depends on N. pre and post are what reshapes
    laid around the batch: N*windows is (1, 49), length*N (length, 1), [x; flipped x] (2, 1).
    alike  all entries along `axis` are equal, so that any pre and post would be as true
    """

    shape: Shape
    axis: int = 0
    pre: int = 1
    post: int = 1
    alike: bool = False

    def __post_init__(self) -> None:
        if any(dim.sign() != 1 for dim in self.shape):
            unknown("a tensor without entries is not followed")

    @property
    def layout(self) -> tuple[int, int, int]:
        """Where and how the batch lies; what two operands of one operator must agree on."""
        return self.axis, self.pre, self.post

    def to(self, shape: Shape | list[Size], axis: int | None = None) -> "Rows":
        """The rows of another tensor in which the batch is laid out in the same way."""
        return Rows(tuple(shape), self.axis if axis is None else axis, self.pre, self.post)

    def resized(self, axis: int, dim: Size | int) -> "Rows":
        """The same with `dim` entries along another axis than the batch."""
        return self.to([size(dim) if i == axis else d for i, d in enumerate(self.shape)])


@dataclass(frozen=True)
class Positions:
    """int64 entries T[.., n, ..] = step*n + offsets[.., 0, ..], N entries along `axis`: the rows'
    own numbers, by which a graph takes each row's part of flattened rows."""

    shape: Shape
    axis: int
    step: int
    offsets: Array


@dataclass(frozen=True)
class Lost:
    """Nothing is known, for the reason that `proof` gives (refused or unproven)."""

    proof: Proof


Value = Constant | Counts | Rows | Positions | Lost


def meets(*operands: Array) -> bool:
    """Whether what operands broadcast to is small enough to be followed."""
    return math.prod(np.broadcast_shapes(*(operand.shape for operand in operands))) <= LARGEST


def constant(value: Array) -> Constant:
    """A constant whose numbers are known."""
    return Constant(shape_of(value.shape), value)


def counted(entries: Array) -> Constant | Counts:
    """What an array of Size is: a constant where no entry depends on N.

    Stops the rule where an entry might not hold in the graph's int64.
    """
    if not any(entry.open for entry in entries.flat):
        return constant(np.array([int(e) for e in entries.flat], np.int64).reshape(entries.shape))
    for entry in entries.flat:
        most = sum(abs(term) << (_ROWS_BITS * i) for i, term in enumerate(entry.terms))
        if most >= 1 << _INT64_BITS:
            unknown("a multiple of the batch size may overflow")
    return Counts(shape_of(entries.shape), entries)
