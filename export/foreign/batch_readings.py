"""One node that holds the fixed size of a batch: the ways to write it for any size."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper, numpy_helper

from smoothcert.engine.models.row_independence.hazards import names_read
from smoothcert.engine.models.row_independence.sizes import Size
from smoothcert.engine.models.row_independence.values import Constant, Counts, Rows, Value
from smoothcert.export.foreign.batch_squeezed import stays_short

Reading = list[NodeProto]
"""The nodes to stand in place of one."""

_BROADCASTING = frozenset(
    [
        "Add",
        "And",
        "BitShift",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
        "Div",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Max",
        "Mean",
        "Min",
        "Mod",
        "Mul",
        "Or",
        "Pow",
        "PRelu",
        "Sub",
        "Sum",
        "Where",
        "Xor",
    ]
)
_INITIAL_STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
_SIZES = 3  # operand of Resize
_SINCE_AXES_OPERAND = 13  # Squeeze
_SINCE_SLICE_OPERANDS = 10
_END = np.iinfo(np.int64).max


class Readings:
    """The ways to write each node of a graph. Where the batch is the file's, each gives what the
    node gives, but for the tensors that are `short`.

    batch  that the file fixes
    input  the name of the graph's input, whose first side is the batch
    opset  of ONNX's own operators
    """

    def __init__(self, batch: int, input_name: str, opset: int) -> None:
        self._batch, self._input, self._opset = batch, input_name, opset
        self._names = 0
        self.short: set[str] = set()
        """The tensors that the file has without the batch, of one row, since a Squeeze took it."""

    def of(
        self, node: NodeProto, values: list[Value | None], own: Value | None
    ) -> Iterator[Reading]:
        """The ways to write `node`, the likeliest first; none where what the node does to a tensor
        without its batch is not what it does to one with it.

        values  of its operands where the batch is N
        own     what the node as it stands makes of them: its first result
        """
        if self.short.intersection(names_read(node)):
            yield from self._of_short(node, values, own)
            return
        if node.domain not in ("", "ai.onnx"):
            yield [node]
            return
        first = values[0] if values else None
        if isinstance(first, Rows) and node.op_type in ("Reshape", "Flatten"):
            yield from self._regrouped(node, first, values, own)
        elif isinstance(first, Rows) and node.op_type == "Squeeze":
            yield from self._squeezed(node, first, len(values))
        elif isinstance(first, Rows) and node.op_type == "Slice":
            yield from self._sliced(node, first, values)
        elif isinstance(first, Rows) and node.op_type == "Gather":
            yield from self._gathered(node, first, values[1])
        elif isinstance(first, Rows) and node.op_type == "Expand":
            yield self._expanded(node, first, values)
        elif isinstance(first, Constant) and node.op_type == "Expand":
            yield self._repeated(node, first, values[1])
        elif isinstance(first, Rows) and node.op_type == "Resize":
            yield self._resized(node, first, values)
        elif node.op_type in ("Concat", *_INITIAL_STATES, *_BROADCASTING):
            yield self._beside(node, values)
        else:
            yield [node]

    def _regrouped(
        self, node: NodeProto, rows: Rows, values: list[Value | None], own: Value | None
    ) -> Iterator[Reading]:
        """Reshape and Flatten: row-major, so that the batch must lie after as many entries, and
        before as many, as in the operand; in which axis is open where sizes of 1 are about."""
        wanted = self._shape(node, rows, values)
        if wanted is None:
            yield [node]
            return
        seen = False
        for axis, pre, post in self._places(rows, wanted):
            dims: list[Size] = [Size(dim) for dim in wanted]
            dims[axis] = Size(0, pre * post)
            if own == Rows(tuple(dims), axis, pre, post):
                seen = True
                yield [node]
                continue
            target = [-1 if place == axis else dim for place, dim in enumerate(wanted)]
            yield self._reshape(node, target)
        if not seen:
            yield [node]

    def _shape(self, node: NodeProto, rows: Rows, values: list[Value | None]) -> list[int] | None:
        """What a Reshape or Flatten makes of the file's batch; None where that is computed from the
        batch's size, which it then follows by itself."""
        have = [self._at(dim) for dim in rows.shape]
        if node.op_type == "Flatten":
            axis = _attribute(node, "axis", 1)
            axis += len(have) if axis < 0 else 0
            return [math.prod(have[:axis]), math.prod(have[axis:])]
        dims = _attribute(node, "shape", None) if len(values) == 1 else _entries(values[1])
        if dims is None:
            return None
        dims = list(dims)
        if not _attribute(node, "allowzero", 0):
            dims = [have[i] if dim == 0 and i < len(have) else dim for i, dim in enumerate(dims)]
        if -1 in dims:
            rest = math.prod(dim for dim in dims if dim != -1)
            dims[dims.index(-1)] = math.prod(have) // max(rest, 1)
        return dims if math.prod(dims) == math.prod(have) else None

    def _places(self, rows: Rows, wanted: list[int]) -> list[tuple[int, int, int]]:
        """Axis, pre and post (see Rows) of every axis that may hold the batch: those that hold
        nothing else first, then what is folded with least."""
        before = math.prod(self._at(dim) for dim in rows.shape[: rows.axis]) * rows.pre
        after = math.prod(self._at(dim) for dim in rows.shape[rows.axis + 1 :]) * rows.post
        found = []
        for axis, dim in enumerate(wanted):
            pre, rest = divmod(before, math.prod(wanted[:axis]) or 1)
            post, left = divmod(after, math.prod(wanted[axis + 1 :]) or 1)
            if not rest and not left and dim == pre * self._batch * post:
                found.append((axis, pre, post))
        return sorted(found, key=lambda place: place[1] * place[2])

    def _reshape(self, node: NodeProto, target: list[int]) -> Reading:
        if node.op_type == "Reshape" and len(node.input) == 1:  # before opset 5
            changed = _copy(node, without="shape")
            changed.attribute.append(helper.make_attribute("shape", target))
            return [changed]
        held, name = self._held(np.array(target, np.int64))
        return [held, helper.make_node("Reshape", [node.input[0], name], node.output, node.name)]

    def _of_short(
        self, node: NodeProto, values: list[Value | None], own: Value | None
    ) -> Iterator[Reading]:
        """A node that reads a tensor without its batch: it may give the batch back, as the first
        axis."""
        first = values[0]
        if stays_short(node, values, self.short, self._opset):
            self.short.add(node.output[0])
            yield [node]
        elif not isinstance(first, Rows) or node.input[0] not in self.short:
            return
        elif node.op_type == "Squeeze":
            yield from self._squeezed(node, first, len(values))
        elif node.op_type == "Reshape":
            dims = _attribute(node, "shape", None) if len(values) == 1 else _entries(values[1])
            if dims is not None and 0 not in dims:  # which would copy a side by its place
                yield from self._regrouped(node, first, values, own)
        elif node.op_type == "Unsqueeze":
            axes = _attribute(node, "axes", None) if len(values) == 1 else _entries(values[1])
            if axes is not None and list(axes) == [0]:
                yield [helper.make_node("Identity", node.input[:1], node.output, node.name)]

    def _squeezed(self, node: NodeProto, rows: Rows, operands: int) -> Iterator[Reading]:
        """A Squeeze of whatever has one entry would take a batch of one row too."""
        if operands > 1 or any(a.name == "axes" for a in node.attribute):
            if node.input[0] not in self.short:
                yield [node]
            return
        axes = [axis for axis, dim in enumerate(rows.shape) if dim == 1]
        if self._at(rows.shape[rows.axis]) == 1:
            if any(dim != 1 for dim in rows.shape[: rows.axis]):
                return
            self.short.add(node.output[0])
        elif node.input[0] in self.short:
            return
        if self._opset < _SINCE_AXES_OPERAND:
            yield [helper.make_node("Squeeze", node.input, node.output, node.name, axes=axes)]
            return
        held, name = self._held(np.array(axes, np.int64))
        yield [held, helper.make_node("Squeeze", [node.input[0], name], node.output, node.name)]

    def _sliced(self, node: NodeProto, rows: Rows, values: list[Value | None]) -> Iterator[Reading]:
        """A Slice of the whole of the file's batch is one of the whole batch."""
        yield [node]
        if self._opset < _SINCE_SLICE_OPERANDS:
            starts, ends = _attribute(node, "starts", None), _attribute(node, "ends", None)
            axes, steps = _attribute(node, "axes", None), None
        else:
            parts = [_entries(value) if value is not None else None for value in values[1:5]]
            starts, ends, axes, steps = [*parts, None, None, None, None][:4]
            if len(values) > 4 and steps is None:
                return
        if starts is None or ends is None:
            return
        axes = list(axes) if axes is not None else list(range(len(starts)))
        axes = [axis % len(rows.shape) for axis in axes]
        if rows.axis not in axes or rows.pre * rows.post != 1:
            return
        place = axes.index(rows.axis)
        if starts[place] != 0 or ends[place] < self._batch or (steps and steps[place] != 1):
            return
        longer = [_END if i == place else end for i, end in enumerate(ends)]
        changed = _copy(node, without="ends")
        if self._opset < _SINCE_SLICE_OPERANDS:
            changed.attribute.append(helper.make_attribute("ends", longer))
            yield [changed]
            return
        held, name = self._held(np.array(longer, np.int64))
        changed.input[2] = name
        yield [held, changed]

    def _gathered(self, node: NodeProto, rows: Rows, index: Value | None) -> Iterator[Reading]:
        """Flattened rows, each read at the same places of its own part, as torch.export writes
        as_strided: those places of every row."""
        yield [node]
        if not isinstance(index, Constant) or index.value is None or rows.pre != 1:
            return
        places, axis = index.value, _attribute(node, "axis", 0)
        if len(rows.shape) != 1 or axis not in (0, -1) or places.shape[:1] != (self._batch,):
            return
        own = places - np.arange(self._batch).reshape(-1, *[1] * (places.ndim - 1)) * rows.post
        first = own[:1]
        if first.size == 0 or (own != first).any() or first.min() < 0 or first.max() >= rows.post:
            return
        shape, split = self._held(np.array([-1, rows.post], np.int64))
        held, name = self._held(first[0])
        apart = self._new("apart")
        yield [
            shape,
            helper.make_node("Reshape", [node.input[0], split], [apart]),
            held,
            helper.make_node("Gather", [apart, name], node.output, node.name, axis=1),
        ]

    def _expanded(self, node: NodeProto, rows: Rows, values: list[Value | None]) -> Reading:
        """Expand: what is as long as the batch already is asked for one entry."""
        wanted = _entries(values[1])
        place = None if wanted is None else rows.axis + len(wanted) - len(rows.shape)
        if wanted is None or place is None or place < 0:
            return [node]
        if wanted[place] == 1 or wanted[place] != self._at(rows.shape[rows.axis]):
            return [node]
        held, name = self._held(
            np.array([1 if i == place else dim for i, dim in enumerate(wanted)], np.int64)
        )
        return [held, helper.make_node("Expand", [node.input[0], name], node.output, node.name)]

    def _repeated(self, node: NodeProto, value: Constant, wanted: Value | None) -> Reading:
        """Expand of a constant, to a shape that follows the batch: where the constant is as long as
        the file's batch already, the first of its equal rows."""
        if self._batch == 1 or not isinstance(wanted, Counts) or value.value is None:
            return [node]
        shift = len(value.shape) - wanted.value.size
        for place, dim in enumerate(wanted.value):
            axis = place + shift
            if not dim.open or axis < 0 or self._at(value.shape[axis]) != self._batch:
                continue
            row = _same(value.value, axis)
            if row is not None:
                held, once = self._held(row)
                operands = [once, node.input[1]]
                return [held, helper.make_node("Expand", operands, node.output, node.name)]
        return [node]

    def _resized(self, node: NodeProto, rows: Rows, values: list[Value | None]) -> Reading:
        sizes = _entries(values[_SIZES]) if len(values) > _SIZES else None
        if not sizes or rows.pre * rows.post != 1 or len(sizes) != len(rows.shape):
            return [node]
        if sizes[rows.axis] != self._batch:
            return [node]
        nodes, name = self._like_batch(sizes, rows.axis)
        changed = _copy(node)
        changed.input[_SIZES] = name
        return [*nodes, changed]

    def _beside(self, node: NodeProto, values: list[Value | None]) -> Reading:
        """A constant that the file holds once for every row of its batch (a class token, an initial
        state) is held once for all, and repeated where the operator does not do so itself."""
        rows = next((value for value in values if isinstance(value, Rows)), None)
        if rows is None or rows.pre * rows.post != 1:
            return [node]
        changed, added = _copy(node), []
        for index, value in enumerate(values):
            if not isinstance(value, Constant):
                continue
            place = self._place(node, rows, value, index)
            if place is None or self._at(value.shape[place]) != self._batch:
                continue
            once: str = node.input[index]
            if self._batch > 1:
                if value.value is None or (row := _same(value.value, place)) is None:
                    continue
                held, once = self._held(row)
                added.append(held)
            if node.op_type not in _BROADCASTING:
                dims = [self._at(dim) for dim in value.shape]
                nodes, shape = self._like_batch(dims, place)
                repeated = self._new("rows")
                added += [*nodes, helper.make_node("Expand", [once, shape], [repeated])]
                once = repeated
            changed.input[index] = once
        return [*added, changed]

    def _place(self, node: NodeProto, rows: Rows, value: Constant, index: int) -> int | None:
        """The axis of operand `index`, a constant, that lies along the batch; None: it has none."""
        if node.op_type in _INITIAL_STATES:
            beside = 0 if _attribute(node, "layout", 0) else 1
            return beside if index in _INITIAL_STATES[node.op_type] else None
        place = rows.axis + len(value.shape) - len(rows.shape)
        if node.op_type == "Concat" and _attribute(node, "axis", 0) % len(rows.shape) == rows.axis:
            return None
        return place if place >= 0 else None

    def _like_batch(self, dims: list[int], axis: int) -> tuple[Reading, str]:
        """Nodes that make a shape of `dims`, with the batch of the run at `axis`; and its name."""
        shape, batch, whole = self._new("shape"), self._new("size"), self._new("dims")
        first, index = self._held(np.array([0], np.int64))
        nodes = [
            first,
            helper.make_node("Shape", [self._input], [shape]),
            helper.make_node("Gather", [shape, index], [batch], axis=0),
        ]
        parts = []
        for part in (dims[:axis], None, dims[axis + 1 :]):
            if part is None:
                parts.append(batch)
            elif part:
                held, name = self._held(np.array(part, np.int64))
                nodes.append(held)
                parts.append(name)
        return [*nodes, helper.make_node("Concat", parts, [whole], axis=0)], whole

    def _held(self, value: npt.NDArray[Any]) -> tuple[NodeProto, str]:
        """A node that holds a constant, and the constant's name."""
        name = self._new("held")
        return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)), name

    def _new(self, what: str) -> str:
        self._names += 1
        return f"opened_batch/{what}_{self._names}"

    def _at(self, dim: Size) -> int:
        """A size where the batch is the file's."""
        return sum(term * self._batch**power for power, term in enumerate(dim.terms))


def _entries(value: Value | None) -> list[int] | None:
    """The entries of a constant that is known; None of all else."""
    if not isinstance(value, Constant) or value.value is None:
        return None
    return [int(entry) for entry in value.value.reshape(-1)]


def _same(value: npt.NDArray[Any], axis: int) -> npt.NDArray[Any] | None:
    """The first of the entries along an axis where all are equal."""
    first = np.take(value, [0], axis=axis)
    return first if (value == first).all() else None


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    found = next((a for a in node.attribute if a.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def _copy(node: NodeProto, without: str | None = None) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    for attribute in list(copy.attribute):
        if attribute.name == without:
            copy.attribute.remove(attribute)
    return copy
