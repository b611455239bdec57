"""Small changes to a module, of the kind that people make by mistake: its mutants.

One mutant changes one place: a comparison, an arithmetic operator, a constant by one, a condition,
a rounding, a slice's end, a statement left out. Nothing that only words an error is changed, nor an
annotation, a docstring or a decorator.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_NAMES = {
    "floor": "ceil",
    "minimum": "maximum",
    "min": "max",
    "any": "all",
    "argmin": "argmax",
    "logical_or": "logical_and",
}
_NAMES |= {other: name for name, other in _NAMES.items()}
_STRINGS = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Mutant:
    """A change of a module.

    number    within its module, by its place
    function  the dotted name of what holds the change; "" for the module itself
    first     the line that function's code begins at (its first decorator); 0 for the module
    line      of the statement that changes
    before, after   that statement's text (its head, where it has a body)
    tree      the whole changed module
    """

    number: int
    function: str
    first: int
    line: int
    before: str
    after: str
    tree: ast.Module


@dataclass(frozen=True)
class _Place:
    """A statement: where it is, and the steps to it from the module."""

    function: str
    first: int
    path: tuple[tuple[str, int], ...]


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module's text, in the order of its lines."""
    module = ast.parse(source)
    number = 0
    for place in _statements(module, _Place("", 0, ())):
        for edit in range(10**6):
            tree = ast.parse(source)  # faster than a copy
            body, at = _parent(tree, place)
            statement = body[at]
            before, line = _head(statement), statement.lineno
            if not _edit(body, at, edit):
                break
            after = _head(body[at])
            if after == before:
                continue
            ast.fix_missing_locations(tree)
            yield Mutant(number, place.function, place.first, line, before, after, tree)
            number += 1


def heads(source: str) -> set[tuple[str, str]]:
    """The function and the text of every statement that may have a mutant."""
    module = ast.parse(source)
    found = set()
    for place in _statements(module, _Place("", 0, ())):
        body, at = _parent(module, place)
        found.add((place.function, _head(body[at])))
    return found


def _statements(node: ast.AST, place: _Place) -> Iterator[_Place]:
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for at, child in enumerate(getattr(node, name, None) or ()):
            here = _Place(place.function, place.first, (*place.path, (name, at)))
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                if any(ast.unparse(mark) == "overload" for mark in child.decorator_list):
                    continue
                inner = f"{place.function}.{child.name}".lstrip(".")
                first = place.first
                if isinstance(child, ast.FunctionDef):
                    first = min([child.lineno, *(mark.lineno for mark in child.decorator_list)])
                    yield here  # its defaults
                yield from _statements(child, _Place(inner, first, here.path))
            elif isinstance(child, ast.stmt):
                yield here
                yield from _statements(child, here)
            else:
                yield from _statements(child, here)


def _parent(tree: ast.Module, place: _Place) -> tuple[list[ast.stmt], int]:
    node: ast.AST = tree
    for name, at in place.path[:-1]:
        node = getattr(node, name)[at]
    name, at = place.path[-1]
    return getattr(node, name), at


def _head(statement: ast.stmt) -> str:
    """A statement's text without its body."""
    bare = copy.copy(statement)
    for name in ("body", "orelse", "finalbody", "handlers", "decorator_list"):
        if hasattr(bare, name) and not isinstance(bare, ast.Expr):
            setattr(bare, name, [ast.Pass()] if name == "body" else [])
    if isinstance(bare, ast.Try):
        return "try"
    if isinstance(bare, ast.Match):
        return f"match {ast.unparse(bare.subject)}"
    text = ast.unparse(ast.fix_missing_locations(bare))
    return text.removesuffix("\n    pass")


def _edit(body: list[ast.stmt], at: int, number: int) -> bool:
    """Make the change of this number, of all that a statement may have; whether there is one."""
    statement = body[at]
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.Try):
        return False
    left = number
    whole = list(_whole(statement))
    if left < len(whole):
        body[at] = ast.copy_location(whole[left], statement)
        return True
    left -= len(whole)
    for parent, field, index, node in _expressions(statement):
        found = list(_changed(node))
        if left < len(found):
            new = ast.copy_location(found[left], node)
            if index is None:
                setattr(parent, field, new)
            else:
                getattr(parent, field)[index] = new
            return True
        left -= len(found)
    return False


def _whole(statement: ast.stmt) -> Iterator[ast.stmt]:
    """What the statement as a whole may become."""
    match statement:
        case ast.Return(value=value) if value is not None and ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.AugAssign(op=op):
            if type(op) in _ARITHMETIC:
                yield ast.AugAssign(
                    statement.target, _ARITHMETIC[type(op)](), copy.deepcopy(statement.value)
                )
            yield ast.Pass()
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.If(test=test) | ast.While(test=test) if not isinstance(
            test, ast.Compare | ast.UnaryOp
        ):
            changed = copy.copy(statement)
            changed.test = ast.UnaryOp(ast.Not(), test)
            yield changed


Slot = tuple[ast.AST, str, int | None, ast.expr]


def _expressions(node: ast.AST) -> Iterator[Slot]:
    """Every expression of a statement (not of the statements in it), with where it hangs."""
    skipped = {"annotation", "returns", "decorator_list", "body", "orelse", "finalbody", "handlers"}
    skipped |= {"cases", "bases", "keywords" if isinstance(node, ast.ClassDef) else ""}
    if isinstance(node, ast.expr | ast.comprehension | ast.keyword | ast.arguments):
        skipped -= {"body", "orelse", "keywords"}
    if isinstance(node, ast.JoinedStr):  # words
        return
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and _is_text(node.value)):
        return
    for field, value in ast.iter_fields(node):
        if field in skipped:
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            place = index if isinstance(value, list) else None
            if isinstance(child, ast.expr):
                yield node, field, place, child
                yield from _expressions(child)
            elif isinstance(child, ast.AST) and not isinstance(child, ast.stmt):
                yield from _expressions(child)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _changed(node: ast.expr) -> Iterator[ast.expr]:
    """What one expression may become."""
    match node:
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                for other in _COMPARISONS[type(op)]:
                    changed = copy.deepcopy(node)
                    changed.ops[at] = other()
                    yield changed
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            yield ast.BinOp(copy.deepcopy(left), _ARITHMETIC[type(op)](), copy.deepcopy(right))
        case ast.BoolOp(op=op, values=values):
            joined = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield ast.BoolOp(joined, copy.deepcopy(values))
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield copy.deepcopy(operand)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(value=float() as value):
            yield ast.Constant(2.0 * value + (value == 0.0))
        case ast.Constant(value=str() as value) if value:
            yield ast.Constant(_STRINGS.get(value, f"X{value}"))
        case ast.Name(id=name) if name in _NAMES:
            yield ast.Name(_NAMES[name], ast.Load())
        case ast.Attribute(value=value, attr=name) if name in _NAMES:
            yield ast.Attribute(copy.deepcopy(value), _NAMES[name], ast.Load())
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(copy.deepcopy(test), copy.deepcopy(orelse), copy.deepcopy(body))
        case ast.Slice(lower=lower, upper=upper, step=step):
            for end in ("lower", "upper"):
                value = getattr(node, end)
                if value is not None and not isinstance(value, ast.Constant):
                    moved = ast.BinOp(copy.deepcopy(value), ast.Add(), ast.Constant(1))
                    part = ast.Slice(*copy.deepcopy((lower, upper, step)))
                    setattr(part, end, moved)
                    yield part
