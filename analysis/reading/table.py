"""A log as columns of text, without the lines that are no rows."""

from collections.abc import Sequence
from pathlib import Path

from smoothcert.analysis.reading.fields import Table, shown
from smoothcert.analysis.reading.layout import Layout, layout_by_columns, layout_by_header
from smoothcert.analysis.reading.names import is_header
from smoothcert.analysis.reading.splitting import is_number, is_remark
from smoothcert.analysis.reading.text import EmptyLogError
from smoothcert.engine.base.errors import InputError

_Rows = list[tuple[int, list[str]]]


def split_table(
    path: Path,
    lines: Sequence[str],
    columns: Sequence[str] | None = None,
    further: Sequence[str] = (),
) -> Table:
    """The columns of a log that are read, by what its header names or `columns` do; with those of
    `further` that the header has.

    A log of ours is taken to the letter. In others empty lines, a header that comes again (two
    logs joined) and lines of other text (what a program prints before and after its rows) are
    left out, and said. Raises InputError where nothing names the columns, where a line below
    names them otherwise, and where a row has another number of fields; EmptyLogError where there
    are no rows.
    """
    if columns is None:
        layout = layout_by_header(path, lines, further)
    else:
        layout = layout_by_columns(path, lines, columns)
    numbered = enumerate(lines[layout.first :], start=layout.first + 1)
    if layout.mapping.ours:
        if layout.header in lines[layout.first :]:
            raise InputError(
                f"{path} has its header again in line "
                f"{lines.index(layout.header, layout.first) + 1}: expected one log; of shards give "
                "each, or join them by `smoothcert merge`"
            )
        return _table(path, layout, [(number, line.split("\t")) for number, line in numbered], [])
    kept, again = [], 0
    for number, line in numbered:
        if _is(line, layout.header):
            again += 1
        elif _names_columns(line, layout):
            raise InputError(
                f"{path} line {number} names other columns than the header above: expected one "
                "log; split the file there, and give both"
            )
        elif line.strip():
            kept.append((number, line))
    rows = _fitting(layout, kept)
    before = enumerate(lines[: layout.first], start=1)
    remarks = [pair for pair in before if pair[1].strip() and pair[1] != layout.header]
    if len(rows) < len(kept):
        found = {number for number, _ in rows}
        remarks += [pair for pair in kept if pair[0] not in found]
    short = sum(len(row) < layout.width for _, row in rows)
    said = [f"the header comes {again + 1} times: logs joined"] if again else []
    if remarks:
        number, line = remarks[0]
        more = f" and {len(remarks) - 1} more" if len(remarks) > 1 else ""
        said.append(f"no row, left out: line {number} {shown(line)}{more}")
    if short:
        said.append(f"{short} rows end before the header does")
    return _table(path, layout, rows, said)


def _fitting(layout: Layout, lines: list[tuple[int, str]]) -> _Rows:
    """The rows, parted in the first way in which all have as many fields as there are columns and
    the other lines are remarks. Where there is none: all lines but these, in the likeliest way."""
    likeliest, fewest, width = layout.splitters[0], layout.fewest, layout.width
    for split in layout.splitters:
        parted = [(number, split(line)) for number, line in lines]
        rows = [pair for pair in parted if fewest <= len(pair[1]) <= width]
        if len(rows) == len(lines):
            return rows
        found = {number for number, _ in rows}
        others = (line for number, line in lines if number not in found)
        # Blanks part text too: only where the header has them, or every line fits.
        if rows and (split is likeliest or split is not str.split) and all(map(is_remark, others)):
            return rows
    return [(number, likeliest(line)) for number, line in lines if not is_remark(line)]


def _is(line: str, header: str | None) -> bool:
    """Whether the line is the header again."""
    return header is not None and line[:1] == header[:1] and line.split() == header.split()


def _names_columns(line: str, layout: Layout) -> bool:
    """Whether the line is a header, of another log."""
    if "pred" not in line.lower():  # as in every header: most rows are told by it
        return False
    fields = layout.splitters[0](line)
    return is_header(fields) and not any(map(is_number, fields))


def _table(path: Path, layout: Layout, rows: _Rows, said: Sequence[str]) -> Table:
    fewest, width = layout.fewest, layout.width
    for number, row in rows:
        if not fewest <= len(row) <= width:
            longer = len(row) > width and not layout.mapping.ours
            hint = "; --columns names them where the header does not" if longer else ""
            raise InputError(f"{path} line {number} has {len(row)} fields: expected {width}{hint}")
    if not rows:
        instead = f" ({said[-1]})" if said else ""
        raise EmptyLogError(f"{path} has no rows yet{instead}: expected at least one certificate")
    columns = {name: [row[at] for _, row in rows] for name, at in layout.mapping.at.items()}
    by_name = () if layout.mapping.said is None else (layout.mapping.said,)
    numbers = [number for number, _ in rows]
    return Table(path, columns, numbers, layout.mapping.ours, (*by_name, *said))
