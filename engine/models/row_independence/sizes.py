"""Sizes: integers that may depend on the batch, as polynomials of its size N."""

from collections.abc import Iterable
from functools import lru_cache

from smoothcert.engine.models.row_independence.verdict import unknown


class Size:
    """A polynomial of N, N >= 1, with integer coefficients: `terms[i]` belongs to N**i.

    Two are equal where they are for every N.
    """

    __slots__ = ("terms",)

    def __init__(self, *terms: int) -> None:
        last = len(terms)
        while last and terms[last - 1] == 0:
            last -= 1
        self.terms = terms[:last]

    @property
    def open(self) -> bool:
        """Whether it depends on N."""
        return len(self.terms) > 1

    def __int__(self) -> int:
        """Its value; stops the rule where that depends on N."""
        if self.open:
            unknown("a number that depends on the batch size where a fixed one is expected")
        return self.terms[0] if self.terms else 0

    def at_one(self) -> int:
        """Its value where N = 1."""
        return sum(self.terms)

    def sign(self) -> int | None:
        """-1, 0 or 1 where that is so for every N; None otherwise (or where it is hard to say)."""
        if not self.terms:
            return 0
        if min(self.terms) >= 0:
            return 1
        return -1 if max(self.terms) <= 0 else None

    def over(self, other: "Size | int") -> "Size | None":
        """self / other, where that is a polynomial with integer coefficients."""
        divisor, rest = size(other).terms, list(self.terms)
        if not divisor:
            return None
        quotient = [0] * max(len(rest) - len(divisor) + 1, 0)
        for shift in reversed(range(len(quotient))):
            factor, left = divmod(rest[shift + len(divisor) - 1], divisor[-1])
            if left:
                return None
            quotient[shift] = factor
            for i, term in enumerate(divisor):
                rest[shift + i] -= factor * term
        return None if any(rest) else Size(*quotient)

    def __add__(self, other: "Size | int") -> "Size":
        one, two = self.terms, size(other).terms
        if len(one) < len(two):
            one, two = two, one
        return Size(*(a + b for a, b in zip(one, two, strict=False)), *one[len(two) :])

    def __mul__(self, other: "Size | int") -> "Size":
        one, two = self.terms, size(other).terms
        terms = [0] * (len(one) + len(two))
        for i, a in enumerate(one):
            for j, b in enumerate(two):
                terms[i + j] += a * b
        return Size(*terms)

    def __neg__(self) -> "Size":
        return Size(*(-term for term in self.terms))

    def __sub__(self, other: "Size | int") -> "Size":
        return self + -size(other)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Size):
            return self.terms == other.terms
        return isinstance(other, int) and self.terms == size(other).terms

    def __hash__(self) -> int:
        return hash(self.terms)

    def __repr__(self) -> str:
        powers = ("", "N", *(f"N^{i}" for i in range(2, len(self.terms))))
        named = [
            (str(term) if term != 1 or not power else "") + power
            for term, power in zip(self.terms, powers, strict=False)
            if term
        ]
        return "+".join(named) or "0"


Shape = tuple[Size, ...]


@lru_cache(maxsize=4096)
def _fixed(value: int) -> Size:
    return Size(value)


def size(value: Size | int) -> Size:
    """The size itself, or that of a plain number."""
    return value if isinstance(value, Size) else _fixed(int(value))


def shape_of(dims: Iterable[Size | int]) -> Shape:
    """A shape of sizes and plain numbers."""
    return tuple(map(size, dims))


def product(dims: Iterable[Size | int]) -> Size:
    """How many entries a tensor of these dimensions has."""
    plain, result = 1, size(1)
    for dim in map(size, dims):
        if dim.open:
            result = result * dim
        else:
            plain *= int(dim)
    return result * plain


OPEN = Size(0, 1)
"""N itself."""
