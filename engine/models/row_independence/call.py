"""A node and what is known of its operands: all that a rule sees."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from smoothcert.engine.models.row_independence.sizes import Shape, Size, shape_of
from smoothcert.engine.models.row_independence.values import (
    Array,
    Constant,
    Counts,
    Lost,
    Positions,
    Rows,
    Value,
)
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

Infer = Callable[[Any, "list[Value | None]"], list[Shape]]


@dataclass(frozen=True)
class Call:
    """One node of the graph.

    node        onnx.NodeProto
    operator    the name its rule goes by
    values      of its operands, None where one is left out; none is Lost
    attributes  by name, as Python values
    opset       of ONNX's own operators
    batch       the size of the batch: N, or a number where the file or the question fixes it
    infer       the shapes of a node's outputs where N = 1, as onnx infers them
    """

    node: Any
    operator: str
    values: list[Value | None]
    attributes: dict[str, Any]
    opset: int
    batch: Size
    infer: Infer

    @property
    def outputs(self) -> int:
        """How many results the node has, those left out included."""
        return len(self.node.output)

    @property
    def given(self) -> list[Value]:
        """The operands that are not left out."""
        return [value for value in self.values if value is not None]

    def value(self, index: int) -> Value | None:
        """Operand `index`, or None where it is left out."""
        return self.values[index] if index < len(self.values) else None

    def attribute(self, name: str, default: Any) -> Any:
        """Attribute `name`; a text as str."""
        found = self.attributes.get(name, default)
        return found.decode() if isinstance(found, bytes) else found

    def rows(self, index: int = 0, what: str = "its data") -> Rows:
        """Operand `index`, which must be rows."""
        return as_rows(self.value(index), what)

    def constants(self, first: int, last: int | None = None, what: str = "a weight") -> None:
        """Operands first .. last, exclusive (None: to the end), must be constants."""
        for value in self.values[first:last]:
            if value is not None:
                as_constant(value, what)

    def numbers(self, index: int, what: str) -> list[Size]:
        """The entries of operand `index`, which must be known before the input is."""
        return as_numbers(self.value(index), what)

    def axis(self, name: str, default: int, rank: int) -> int:
        """Attribute `name` as an axis of `rank`, from 0."""
        return axis_in(int(self.attributes.get(name, default)), rank)


def as_rows(value: Value | None, what: str = "its data") -> Rows:
    """`value`, which must be rows."""
    if isinstance(value, Counts | Positions):
        refuse(f"reads {what} off the size of the batch")
    if not isinstance(value, Rows):
        unknown(f"{what} does not depend on the input")
    return value


def as_constant(value: Value | None, what: str) -> Array | None:
    """The numbers of `value`, which must be a constant; None where they are not known."""
    if isinstance(value, Counts | Positions):
        refuse(f"reads {what} off the size of the batch")
    if not isinstance(value, Constant):
        unknown(f"{what} is computed from the input")
    return value.value


def as_numbers(value: Value | None, what: str) -> list[Size]:
    """The entries of `value` in one list: they may depend on N, never on the input."""
    if isinstance(value, Counts):
        return list(value.value.flat)
    if not isinstance(value, Constant) or value.value is None:
        unknown(f"{what} is not known beforehand")
    return list(shape_of(value.value.reshape(-1).astype(np.int64).tolist()))


def shape_at(value: Value) -> Shape:
    """The shape of an operand."""
    return () if isinstance(value, Lost) else value.shape


def axis_in(axis: int, rank: int) -> int:
    """The axis, counted from 0; stops the rule where there is no such one."""
    if not -rank <= axis < rank:
        unknown(f"has no axis {axis} of {rank}")
    return axis % rank


def apart(rows: Rows, axis: int, deed: str) -> int:
    """The axis, from 0, that an operator works along: never the batch. "The node `deed` ..."."""
    axis = axis_in(axis, len(rows.shape))
    if axis == rows.axis:
        refuse(f"{deed} along the batch")
    return axis


def uniform(value: Constant, axis: int, pre: int, post: int, batch: Size) -> None:
    """A constant may lie along the batch only where it says the same to every row."""
    if value.shape[axis] != batch * (pre * post):
        unknown(f"a constant of {value.shape[axis]} entries lies along the batch")
    if value.value is None:
        unknown("a constant that is not known lies along the batch")
    dims = value.value.shape
    split = value.value.reshape(*dims[:axis], pre, int(batch), post, *dims[axis + 1 :])
    if not (split == np.take(split, [0], axis=axis + 1)).all():
        refuse("treats the rows by their place in the batch: its constant differs along it")


def spread(shape: list[Size], single: list[int], batch: Size) -> list[Value]:
    """A constant repeated up to `shape`. One axis may depend on N, of those (`single`) along which
    the constant had one entry: all rows are alike then."""
    moving = [axis for axis, dim in enumerate(shape) if dim.open]
    if not moving:
        return [Constant(tuple(shape))]
    count = shape[moving[0]].over(batch)
    if len(moving) > 1 or moving[0] not in single or count is None:
        unknown("makes a tensor whose entries are numbered by the batch")
    return [Rows(tuple(shape), moving[0], 1, int(count), alike=True)]
