"""What the mutants of a module are: each one change, in its place, and of what runs."""

import ast

from mutants import mutants

SOURCE = '''"""Words < 1 that are no code."""

LIMIT = 4


def tail(n: int = 1, *, exact: bool = False) -> int:
    """If n < 0: raise."""
    if not exact and n <= LIMIT:
        raise ValueError(f"{n + 1} is too small: expected at least {LIMIT}")
    for k in range(n):
        if k % 2 == 0:
            continue
    return max(n, 3)[1 : n]
'''


def changes(source: str) -> set[tuple[str, str]]:
    return {(mutant.before, mutant.after) for mutant in mutants(source)}


def test_each_is_one_change_of_what_runs() -> None:
    found = changes(SOURCE)
    condition = "if not exact and n <= LIMIT:"
    assert {
        ("LIMIT = 4", "LIMIT = 5"),
        ("LIMIT = 4", "LIMIT = 3"),
        (condition, "if not exact or n <= LIMIT:"),
        (condition, "if exact and n <= LIMIT:"),
        (condition, "if not exact and n < LIMIT:"),
        (condition, "if not exact and n > LIMIT:"),
        ("continue", "break"),
        ("if k % 2 == 0:", "if k // 2 == 0:"),
        ("if k % 2 == 0:", "if k % 2 != 0:"),
        ("return max(n, 3)[1:n]", "return None"),
        ("return max(n, 3)[1:n]", "return min(n, 3)[1:n]"),
        ("return max(n, 3)[1:n]", "return max(n, 4)[1:n]"),
        ("return max(n, 3)[1:n]", "return max(n, 3)[1:n + 1]"),
    } <= found
    raised = [after for before, after in found if before.startswith("raise")]
    assert raised == ["pass"]  # what an error says is not changed
    assert not any("Words" in before or "If n" in before for before, _ in found)
    assert len(found) == 25


def test_a_mutant_knows_its_place_and_leaves_the_rest() -> None:
    text = "def a():\n    return 1\n\n\n@mark\ndef b():\n    x = 2\n    return x\n"
    found = [(m.function, m.first, m.line, ast.unparse(m.tree)) for m in mutants(text)]
    assert found[0] == ("a", 1, 2, ast.unparse(ast.parse(text.replace("return 1", "return None"))))
    assert ("b", 5, 7, ast.unparse(ast.parse(text.replace("x = 2", "x = 3")))) in found
    assert [m.number for m in mutants(text)] == list(range(len(found)))
