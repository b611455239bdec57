"""Matrix products and Einsum."""

from collections.abc import Hashable, Sequence

from smoothcert.engine.models.row_independence.call import Call, as_constant, shape_at
from smoothcert.engine.models.row_independence.contraction import broadcast_to, contract
from smoothcert.engine.models.row_independence.sizes import Size, product
from smoothcert.engine.models.row_independence.values import Rows, Value
from smoothcert.engine.models.row_independence.verdict import unknown


def required(call: Call, index: int) -> Value:
    """Operand `index`, which may not be left out."""
    value = call.value(index)
    return value if value is not None else unknown(f"its operand {index} is left out")


def scalars(values: Sequence[Value | None], what: str = "a scale or zero point") -> None:
    """Each must be a constant of one entry."""
    for value in values:
        if value is None:
            continue
        as_constant(value, what)
        if product(shape_at(value)) != 1:
            unknown(f"{what} has several entries")


def matrix_product(
    one: Value, two: Value, batch: Size, turned: tuple[bool, bool] = (False, False)
) -> Rows:
    """numpy.matmul; `turned` operands have their last two axes swapped first."""
    ranks = len(shape_at(one)), len(shape_at(two))
    lead = max(*ranks, 2) - 2
    parts: list[list[Hashable]] = []
    for rank, names, turn in zip(ranks, (("m", "k"), ("k", "n")), turned, strict=True):
        if rank == 1:
            parts.append(["k"])
        else:
            parts.append([*range(lead - rank + 2, lead), *(names[::-1] if turn else names)])
    outer = [name for name, rank in zip(("m", "n"), ranks, strict=True) if rank > 1]
    return contract([one, two], parts, [*range(lead), *outer], batch)


def gemm(call: Call, one: Value, two: Value) -> Rows:
    """The product of two matrices, each turned where the node says so."""
    left = ("k", "m") if call.attributes.get("transA", 0) else ("m", "k")
    right = ("n", "k") if call.attributes.get("transB", 0) else ("k", "n")
    return contract([one, two], [left, right], ("m", "n"), call.batch)


def gemm_with_bias(call: Call) -> list[Value]:
    """Gemm: A, B, and C, which is spread over the result."""
    result = gemm(call, required(call, 0), required(call, 1))
    return [broadcast_to(result, [call.value(2)], call.batch)]


def _matmul(call: Call) -> list[Value]:
    return [matrix_product(required(call, 0), required(call, 1), call.batch)]


def _matmul_integer(call: Call) -> list[Value]:
    scalars([call.value(2)])
    call.constants(3, what="a zero point")
    return _matmul(call)


def _qlinear_matmul(call: Call) -> list[Value]:
    scalars([call.value(index) for index in (1, 2, 6, 7)])
    call.constants(4, 6, "a scale")
    return [matrix_product(required(call, 0), required(call, 3), call.batch)]


def _einsum(call: Call) -> list[Value]:
    equation = call.attribute("equation", "").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(call.given):
        unknown(f"its equation {equation!r} has another number of operands")
    spare = [
        len(shape_at(value)) - len(term.replace("...", "")) if "..." in term else 0
        for term, value in zip(terms, call.given, strict=True)
    ]
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        once = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        right = ("..." if "..." in left else "") + "".join(once)
    labels = [_labels(term, own) for term, own in zip(terms, spare, strict=True)]
    return [contract(call.given, labels, _labels(right, max(spare)), call.batch)]


def _labels(term: str, spare: int) -> list[Hashable]:
    """A letter for each axis; those of the ellipsis are numbered from the last, -1."""
    head, dots, tail = term.partition("...")
    return [*head, *(range(-spare, 0) if dots else ()), *tail]


RULES = {
    "Einsum": _einsum,
    "Gemm": gemm_with_bias,
    "MatMul": _matmul,
    "MatMulInteger": _matmul_integer,
    "QLinearMatMul": _qlinear_matmul,
}
