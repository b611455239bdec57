"""What elementwise operators, matrix products and Einsum have in common: axes with names."""

from collections.abc import Hashable, Sequence

from smoothcert.engine.models.row_independence.call import as_rows, shape_at, uniform
from smoothcert.engine.models.row_independence.sizes import Size
from smoothcert.engine.models.row_independence.values import Constant, Rows, Value
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

Labels = Sequence[Hashable]


def contract(
    operands: Sequence[Value], labels: Sequence[Labels], result: Labels, batch: Size
) -> Rows:
    """The product, or any other function, of operands whose axes have names, entry by entry where
    axes of one name (or one entry) meet, summed over the names that `result` lacks.

    The batch must bear one name, be laid out in one way in all operands that have it, and stay.
    """
    if len(set(result)) != len(result):
        unknown("its result has an axis twice")
    dims = _dims(operands, labels)
    if any(name not in dims for name in result):
        unknown("its result has an axis that no operand has")
    name, first = _batch(operands, labels)
    if name not in result:
        refuse("sums over the batch")
    for value, names in zip(operands, labels, strict=True):
        if isinstance(value, Constant) and name in names:
            axis = names.index(name)
            if value.shape[axis] != 1:
                uniform(value, axis, first.pre, first.post, batch)
    alike = all(value.alike for value in operands if isinstance(value, Rows))
    shape = tuple(dims[label] for label in result)
    return Rows(shape, result.index(name), first.pre, first.post, alike)


def _dims(operands: Sequence[Value], labels: Sequence[Labels]) -> dict[Hashable, Size]:
    dims: dict[Hashable, Size] = {}
    for value, names in zip(operands, labels, strict=True):
        if not isinstance(value, Constant):
            as_rows(value, "an operand")
        shape = shape_at(value)
        if len(set(names)) != len(names) or len(names) != len(shape):
            unknown("takes a diagonal, or its operands have another rank")
        for name, dim in zip(names, shape, strict=True):
            known = dims.setdefault(name, dim)
            if known not in (dim, 1) and dim != 1:
                unknown(f"its axes of {known} and {dim} entries do not match")
            dims[name] = dim if known == 1 else known
    return dims


def _batch(operands: Sequence[Value], labels: Sequence[Labels]) -> tuple[Hashable, Rows]:
    """The batch's name, and an operand that lays it out as all must."""
    moving = [
        (v, names[v.axis]) for v, names in zip(operands, labels, strict=True) if isinstance(v, Rows)
    ]
    first, name = min(moving, key=lambda found: found[0].alike)
    for value, other in moving:
        same = value.layout[1:] == first.layout[1:]
        alike = value.alike and value.pre * value.post == first.pre * first.post
        if other != name or not (same or alike):
            refuse("combines rows of the batch with one another")
    return name, first


def broadcast(operands: Sequence[Value], batch: Size) -> Rows:
    """Any function of entries that meet when shapes are aligned at their last axes."""
    rank = max(len(shape_at(value)) for value in operands)
    labels = [range(rank - len(shape_at(value)), rank) for value in operands]
    return contract(operands, labels, range(rank), batch)


def broadcast_to(value: Rows, others: Sequence[Value | None], batch: Size) -> Rows:
    """`broadcast` of rows with operands that must not change their shape."""
    found = broadcast([value, *(other for other in others if other is not None)], batch)
    if found.shape != value.shape:
        unknown(f"its operands widen {list(value.shape)} to {list(found.shape)}")
    return found
