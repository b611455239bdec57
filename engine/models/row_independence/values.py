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
_ROWS_BITS = 20  # a count must hold in its type for a million rows


@dataclass(frozen=True)
class Constant:
    """Depends on neither the input nor N. Its numbers, or None where only its shape is known."""

    shape: Shape
    value: Array | None = None


@dataclass(frozen=True)
class Counts:
    """int64 entries (int32 where `kind` says so) that are known for every N: an array of Size, at
    least one of them open."""

    shape: Shape
    value: Array
    kind: type[np.signedinteger[Any]] = np.int64


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


def counted(entries: Array, kind: type[np.signedinteger[Any]] = np.int64) -> Constant | Counts:
    """What an array of Size is: a constant where no entry depends on N.

    Stops the rule where an entry might not hold in the graph's type, int64 or int32.
    """
    fixed = not any(entry.open for entry in entries.flat)
    for entry in () if fixed and kind is np.int64 else entries.flat:
        most = sum(abs(term) << (_ROWS_BITS * i) for i, term in enumerate(entry.terms))
        if most > np.iinfo(kind).max // 2:
            unknown("a multiple of the batch size may overflow")
    if fixed:
        return constant(np.array([int(e) for e in entries.flat], kind).reshape(entries.shape))
    return Counts(shape_of(entries.shape), entries, kind)
