"""Random graphs to ask about row independence: small, with sizes that are easily mistaken for the
batch, and of operators that mix as often as not."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from row_graphs import Case

Shape = tuple[int, ...]
Step = tuple[str, Shape] | None
"""Statements in which {a} is the operand and {o} the result, and the result's shape."""

_SIDES = (1, 2, 3, 4, 6)
_MOST = 1500  # entries of a tensor


@dataclass
class Growth:
    """A graph that grows by one operator at a time; `batch` rows of `shape`."""

    rng: np.random.Generator
    batch: int
    shape: Shape
    statements: list[str] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    weights: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shapes["x"] = (self.batch, *self.shape)

    def weight(self, value: npt.ArrayLike) -> str:
        """A new constant's name."""
        name = f"c{len(self.weights)}"
        self.weights[name] = np.asarray(value)
        return name

    def normal(self, *shape: int) -> str:
        return self.weight(self.rng.normal(size=shape))

    def axis(self, shape: Shape) -> int:
        return int(self.rng.integers(len(shape)))

    def chosen(self, *choices: str) -> str:
        return choices[int(self.rng.integers(len(choices)))]

    def operand(self) -> str:
        """The newest tensor, or any."""
        names = list(self.shapes)
        return names[-1] if self.rng.random() < 0.6 else names[int(self.rng.integers(len(names)))]

    def grow(self) -> None:
        """One operator more, where the one that is drawn fits."""
        name, result = self.operand(), f"t{len(self.statements)}"
        shape = self.shapes[name]
        if not shape:
            return
        step = STEPS[int(self.rng.integers(len(STEPS)))](self, shape)
        if step is None or 0 in step[1] or np.prod(step[1]) > _MOST:
            return
        self.statements.append(step[0].format(a=name, o=result))
        self.shapes[result] = step[1]


def _transpose(growth: Growth, shape: Shape) -> Step:
    order = growth.rng.permutation(len(shape)).tolist()
    return f"{{o}} = Transpose<perm={order}>({{a}})", tuple(shape[i] for i in order)


def _reshape(growth: Growth, shape: Shape) -> Step:
    left, sides = int(np.prod(shape)), []
    for _ in range(int(growth.rng.integers(0, 4))):
        fitting = [side for side in (*_SIDES, growth.batch) if left % side == 0]
        sides.append(int(growth.rng.choice(fitting)))
        left //= sides[-1]
    sides.insert(int(growth.rng.integers(len(sides) + 1)), left)
    asked = list(sides)
    if growth.rng.random() < 0.8:
        asked[int(growth.rng.integers(len(asked)))] = -1
    return f"{{o}} = Reshape({{a}}, {growth.weight(asked)})", tuple(sides)


def _reshape_by_batch(growth: Growth, shape: Shape) -> Step:
    """The shape is computed from the batch size."""
    rest = int(np.prod(shape)) // growth.batch
    before = int(growth.rng.choice([side for side in _SIDES if rest % side == 0]))
    if before * growth.batch * (rest // before) != np.prod(shape):
        return None
    parts = f"{growth.weight([before])}, {{o}}n, {growth.weight([-1])}"
    text = (
        f"{{o}}n = Shape<end=1>(x) {{o}}s = Concat<axis=0>({parts}) {{o}} = Reshape({{a}}, {{o}}s)"
    )
    return text, (before, growth.batch, rest // before)


def _slice(growth: Growth, shape: Shape) -> Step:
    axis, end = growth.axis(shape), 2**62
    bounds = [(0, end, 1), (1, end, 1), (0, -1, 1), (-1, -end, -1), (0, shape[axis], 1)]
    start, stop, step = bounds[int(growth.rng.integers(len(bounds)))]
    given = ", ".join(growth.weight([n]) for n in (start, stop, axis, step))
    side = len(range(shape[axis])[start:stop:step])
    return f"{{o}} = Slice({{a}}, {given})", (*shape[:axis], side, *shape[axis + 1 :])


def _gather(growth: Growth, shape: Shape) -> Step:
    axis, rank = growth.axis(shape), int(growth.rng.integers(0, 3))
    index = growth.rng.integers(-shape[axis], shape[axis], size=growth.rng.choice(_SIDES, rank))
    text = f"{{o}} = Gather<axis={axis}>({{a}}, {growth.weight(index)})"
    return text, (*shape[:axis], *np.shape(index), *shape[axis + 1 :])


def _lookup(growth: Growth, shape: Shape) -> Step:
    axis = growth.axis(shape)
    table = growth.normal(shape[axis], 3)
    text = f"{{o}}i = ArgMax<axis={axis},keepdims=0>({{a}}) {{o}} = Gather({table}, {{o}}i)"
    return text, (*shape[:axis], *shape[axis + 1 :], 3)


def _by_argmax(growth: Growth, shape: Shape) -> Step:
    axis, other = growth.axis(shape), growth.axis(shape)
    text = f"{{o}}i = ArgMax<axis={axis}>({{a}}) {{o}} = "
    kept = (*shape[:axis], 1, *shape[axis + 1 :])
    if growth.rng.random() < 0.5 and axis == other:
        return f"{text}GatherElements<axis={axis}>({{a}}, {{o}}i)", kept
    updates = f"{{o}}u = ReduceMax({{a}}, {growth.weight([other])})"
    return f"{updates} {text}ScatterElements<axis={axis}>({{a}}, {{o}}i, {{o}}u)", shape


def _scatter(growth: Growth, shape: Shape) -> Step:
    depth = int(growth.rng.integers(1, len(shape) + 1))
    places = growth.weight([[int(growth.rng.integers(side)) for side in shape[:depth]]])
    updates = growth.weight(np.ones((1, *shape[depth:])))
    return f"{{o}} = ScatterND({{a}}, {places}, {updates})", shape


def _concat(growth: Growth, shape: Shape) -> Step:
    axis = growth.axis(shape)
    longer = (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])
    return f"{{o}}n = Neg({{a}}) {{o}} = Concat<axis={axis}>({{a}}, {{o}}n)", longer


def _swap(growth: Growth, shape: Shape) -> Step:
    axis = growth.axis(shape)
    if shape[axis] % 2:
        return None
    parts = f"{{o}}p, {{o}}q = Split<axis={axis},num_outputs=2>({{a}})"
    if growth.rng.random() < 0.5:
        return f"{parts} {{o}} = Concat<axis={axis}>({{o}}q, {{o}}p)", shape
    half = (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])
    return f"{parts} {{o}} = Sub({{o}}q, {{o}}p)", half


def _reduce(growth: Growth, shape: Shape) -> Step:
    keep = int(growth.rng.integers(2))
    axes = growth.rng.permutation(len(shape))[: int(growth.rng.integers(1, len(shape) + 1))]
    name = growth.chosen("ReduceMean", "ReduceMax", "ReduceSum")
    result = np.empty(shape).sum(axis=tuple(axes.tolist()), keepdims=bool(keep)).shape
    return f"{{o}} = {name}<keepdims={keep}>({{a}}, {growth.weight(axes)})", result


def _along(growth: Growth, shape: Shape) -> Step:
    axis = growth.axis(shape)
    if growth.rng.random() < 0.3:
        return f"{{o}} = CumSum({{a}}, {growth.weight(np.int64(axis))})", shape
    return f"{{o}} = {growth.chosen('Softmax', 'LogSoftmax', 'Hardmax')}<axis={axis}>({{a}})", shape


def _layer_norm(growth: Growth, shape: Shape) -> Step:
    axis = growth.axis(shape)
    scale = growth.normal(*shape[axis:])
    return f"{{o}} = LayerNormalization<axis={axis}>({{a}}, {scale})", shape


def _matmul(growth: Growth, shape: Shape) -> Step:
    side = int(growth.rng.choice(_SIDES))
    if growth.rng.random() < 0.6 or len(shape) < 2:
        text = f"{{o}} = MatMul({{a}}, {growth.normal(shape[-1], side)})"
        return text, (*shape[:-1], side)
    text = f"{{o}} = MatMul({growth.normal(side, shape[-2])}, {{a}})"
    return text, (*shape[:-2], side, shape[-1])


def _gram(growth: Growth, shape: Shape) -> Step:
    if len(shape) < 2:
        return None
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    text = f"{{o}}t = Transpose<perm={order}>({{a}}) {{o}} = MatMul({{a}}, {{o}}t)"
    return text, (*shape[:-1], shape[-2])


def _constant(growth: Growth, shape: Shape) -> Step:
    sides = [side if growth.rng.random() < 0.5 else 1 for side in shape]
    value = growth.rng.normal(size=sides[growth.axis(shape) :])
    if growth.rng.random() < 0.3:
        value = np.repeat(value[:1], value.shape[0], 0)
    return f"{{o}} = {growth.chosen('Add', 'Mul')}({{a}}, {growth.weight(value)})", shape


def _meet(growth: Growth, shape: Shape) -> Step:
    other = growth.operand()
    try:
        result = np.broadcast_shapes(shape, growth.shapes[other])
    except ValueError:
        return None
    return f"{{o}} = {growth.chosen('Add', 'Sub', 'Mul', 'Max')}({{a}}, {other})", result


def _spread(growth: Growth, shape: Shape) -> Step:
    """A constant as often as the batch has rows."""
    axis = growth.axis(shape)
    parts = [growth.weight([1])] * axis + ["{o}n"] + [growth.weight([1])] * (len(shape) - 1 - axis)
    sides = [int(growth.rng.choice((1, side))) for side in shape]
    text = f"{{o}}n = Shape<end=1>(x) {{o}}s = Concat<axis=0>({', '.join(parts)})"
    sides[axis] = 1
    value = growth.normal(*sides)
    sides[axis] = growth.batch
    try:
        result = np.broadcast_shapes(shape, tuple(sides))
    except ValueError:
        return None
    name = growth.chosen("Tile", "Expand")
    return f"{text} {{o}}c = {name}({value}, {{o}}s) {{o}} = Add({{a}}, {{o}}c)", result


def _repeat(growth: Growth, shape: Shape) -> Step:
    times = growth.rng.choice((1, 1, 2), size=len(shape))
    result = tuple((times * shape).tolist())
    if growth.rng.random() < 0.7:
        return f"{{o}} = Tile({{a}}, {growth.weight(times)})", result
    return f"{{o}} = Expand({{a}}, {growth.weight([2, *[1] * len(shape)])})", (2, *shape)


def _single(growth: Growth, shape: Shape) -> Step:
    """An axis of one entry more, or less."""
    ones = [axis for axis, side in enumerate(shape) if side == 1]
    if ones and growth.rng.random() < 0.6:
        axis = int(growth.rng.choice(ones))
        text = f"{{o}} = Squeeze({{a}}, {growth.weight([axis])})"
        return text, (*shape[:axis], *shape[axis + 1 :])
    axis = int(growth.rng.integers(len(shape) + 1))
    return f"{{o}} = Unsqueeze({{a}}, {growth.weight([axis])})", (*shape[:axis], 1, *shape[axis:])


def _pad(growth: Growth, shape: Shape) -> Step:
    axis, widths = growth.axis(shape), np.zeros((2, len(shape)), np.int64)
    widths[:, axis] = growth.rng.choice([-1, 0, 1], size=2)
    result = tuple((widths.sum(0) + shape).tolist())
    return (
        (f"{{o}} = Pad({{a}}, {growth.weight(widths.ravel())})", result)
        if min(result) > 0
        else None
    )


def _convolve(growth: Growth, shape: Shape) -> Step:
    if len(shape) != 3:
        return None
    if growth.rng.random() < 0.5:
        return "{o} = AveragePool<kernel_shape=[3],pads=[1,1]>({a})", shape
    channels = int(growth.rng.choice(_SIDES))
    weight = growth.normal(channels, shape[1], 3)
    return f"{{o}} = Conv<pads=[1,1]>({{a}}, {weight})", (shape[0], channels, shape[2])


def _triangle(growth: Growth, shape: Shape) -> Step:
    return ("{o} = Trilu({a})", shape) if len(shape) > 1 else None


def _flatten(growth: Growth, shape: Shape) -> Step:
    axis = int(growth.rng.integers(len(shape) + 1))
    sides = int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))
    return f"{{o}} = Flatten<axis={axis}>({{a}})", sides


STEPS: list[Callable[[Growth, Shape], Step]] = [
    _transpose,
    _transpose,
    _reshape,
    _reshape,
    _reshape,
    _reshape_by_batch,
    _slice,
    _gather,
    _lookup,
    _by_argmax,
    _scatter,
    _concat,
    _swap,
    _reduce,
    _along,
    _layer_norm,
    _matmul,
    _gram,
    _constant,
    _meet,
    _spread,
    _repeat,
    _single,
    _pad,
    _convolve,
    _triangle,
    _flatten,
]


def random_case(seed: int) -> Case | None:
    """A graph whose output has as many entries along axis 0 as the batch; None where none came
    about. Two in five have a fixed batch; an open one was drawn for four rows."""
    rng = np.random.default_rng(seed)
    fixed = rng.random() < 0.4
    batch = int(rng.choice((2, 3, 4, 6))) if fixed else 4
    growth = Growth(rng, batch, tuple(rng.choice(_SIDES, size=rng.integers(1, 4)).tolist()))
    for _ in range(int(rng.integers(4, 16))):
        growth.grow()
    ends = [name for name, shape in growth.shapes.items() if name != "x" and shape[:1] == (batch,)]
    if not ends:
        return None
    body = " ".join([*growth.statements, f"y = Identity({ends[-1]})"])
    shape = ",".join(map(str, (batch if fixed else "N", *growth.shape)))
    return Case("", "", body, shape=shape, weights=dict(growth.weights))
