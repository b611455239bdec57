"""Grids of cells laid out as text, Markdown, LaTeX or HTML; the first line is the header."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

Grid = list[list[str]]


@dataclass(frozen=True)
class Markup:
    """How a format writes a grid: plain words, a log's name, the best figure, a radius."""

    plain: Callable[[str], str]
    name: Callable[[str], str]
    best: Callable[[str], str]
    radius: Callable[[str], str]
    lay_out: Callable[[Grid], str]


def printable(text: str) -> str:
    """The text with a question mark for what cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _widths(grid: Grid) -> list[int]:
    return [max(len(line[i]) for line in grid) for i in range(len(grid[0]))]


def _text(grid: Grid) -> str:
    widths = _widths(grid)

    def line(cells: list[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(w) for cell, w in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([first, *rest]).rstrip()

    return "\n".join(map(line, grid))


def in_blocks(grid: Grid, width: int) -> str:
    """The grid as text in lines of at most `width`: where they do not suffice, in blocks of as many
    columns as fit, each with the first column, whose cells take several lines where they are long.
    A single cell that is wider than what is left stands out."""
    most = max(width // 2, 1)
    if max(map(sum, [[len(cell) + 2 for cell in line] for line in grid])) - 2 > width:
        grid = [lines for line in grid for lines in _folded(line, most)]
    first, *others = _widths(grid)
    blocks: list[list[int]] = []
    left = 0
    for column, needed in enumerate(others, 1):
        if not blocks or needed + 2 > left:
            blocks.append([])
            left = width - first
        blocks[-1].append(column)
        left -= needed + 2
    parts = [[[line[0], *(line[i] for i in block)] for line in grid] for block in blocks]
    return "\n\n".join(map(_text, parts)) if parts else _text(grid)


def _folded(line: list[str], most: int) -> Grid:
    """The line, and below it what of its first cell is beyond `most` characters; broken behind a
    separator of names where there is one."""
    pieces = [""]
    for part in re.findall(r"[^\s/_,]*[\s/_,]*", line[0]):
        if len(pieces[-1]) + len(part) > most and pieces[-1].strip():
            pieces.append("  ")
        pieces[-1] += part
        while len(pieces[-1]) > most:
            pieces[-1:] = [pieces[-1][:most], "  " + pieces[-1][most:]]
    return [[pieces[0], *line[1:]], *([piece, *[""] * (len(line) - 1)] for piece in pieces[1:])]


def _markdown(grid: Grid) -> str:
    lines = [grid[0], ["---", *["---:"] * (len(grid[0]) - 1)], *grid[1:]]
    return "\n".join("| " + " | ".join(map(str.strip, cells)) + " |" for cells in lines)


def _latex(grid: Grid) -> str:
    head, *body = grid
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule"]
    lines += [" & ".join(head) + r" \\", r"\midrule"]
    lines += [" & ".join(cells) + r" \\" for cells in body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _html(grid: Grid) -> str:
    def line(cells: list[str], kind: str) -> str:
        first = f'<{kind} style="text-align: left">{cells[0]}</{kind}>'
        return f"<tr>{first}{''.join(f'<{kind}>{cell}</{kind}>' for cell in cells[1:])}</tr>"

    head, *body = grid
    rows = "".join(line(cells, "td") for cells in body)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{rows}</tbody></table>"


_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\|*`<>[]"})
_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)

TEXT = Markup(str, str, lambda cell: f"{cell}*", lambda r: f"r={r}", _text)
MARKDOWN = Markup(
    lambda words: words.translate(_MARKDOWN),
    lambda name: f"**{name.translate(_MARKDOWN)}**",
    lambda cell: f"{cell}\\*",
    lambda r: f"r = {r}",
    _markdown,
)
LATEX = Markup(
    lambda words: words.translate(_LATEX),
    lambda name: name.translate(_LATEX),
    lambda cell: rf"\textbf{{{cell}}}",
    lambda r: f"$r = {r}$",
    _latex,
)
HTML = Markup(
    html.escape,
    html.escape,
    lambda cell: f"<b>{cell}</b>",
    lambda r: f"r = {r}",
    _html,
)
