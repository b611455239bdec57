"""Where the rows of a log begin and what their fields are, by its header or by --columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smoothcert.analysis.reading.fields import shown
from smoothcert.analysis.reading.header import Mapping, mapping_of, missing
from smoothcert.analysis.reading.names import IGNORED, REQUIRED, check_columns, is_header
from smoothcert.analysis.reading.splitting import Splitter, is_number, is_remark, splitters_of
from smoothcert.analysis.reading.text import EmptyLogError, beginning
from smoothcert.engine.base.errors import InputError

# What a program prints before its log begins, at most.
_MOST_BEFORE = 1000
_NO_LOGS = (
    ".md", ".rst", ".py", ".ipynb", ".json", ".yaml", ".yml", ".toml", ".html", ".tex", ".sh",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How a log is laid out.

    width      fields of a row
    first      index of the line after the header, or of the first row
    header     the line of the names, or None
    splitters  what may part the fields, the likeliest first
    """

    mapping: Mapping
    width: int
    first: int
    header: str | None
    splitters: tuple[Splitter, ...]

    @property
    def fewest(self) -> int:
        """The fewest fields that a row may have: others' rows may end before the header does,
        after all that is read."""
        return self.width if self.mapping.ours else max(self.mapping.at.values()) + 1


def layout_by_header(path: Path, lines: Sequence[str], further: Sequence[str] = ()) -> Layout:
    """The layout that a header tells: the first line, or the first after what is no row. Raises
    InputError as `mapping_of`, and where there is none (EmptyLogError: no text either)."""
    found = _header(lines)
    if found is not None:
        place, names, splitters = found
        mapping = mapping_of(path, names, further)
        return Layout(mapping, len(names), place + 1, lines[place], splitters)
    first = next(filter(str.strip, lines), None)
    expected = f"expected the columns {' '.join(REQUIRED)}, tab separated"
    if first is None:
        raise EmptyLogError(f"{path} is empty: {expected}")
    raise InputError(
        f"{path} begins with {shown(first)}: {expected}; --columns, as in {','.join(REQUIRED)}, "
        "names them where it has no header"
    )


def layout_by_columns(path: Path, lines: Sequence[str], columns: Sequence[str]) -> Layout:
    """The layout that `columns` tell; the line above the first row is a header if it has as many
    fields. Raises InputError where no line has, and as `check_columns`; EmptyLogError where none
    of these is a row."""
    given = check_columns(columns)
    at = {name: place for place, name in enumerate(given) if name != IGNORED}
    width, rows_alone = None, True
    for first, line in enumerate(lines[:_MOST_BEFORE]):
        for split in splitters_of(line) if line.strip() else ():
            fields = split(line)
            width = len(fields) if width is None else width
            if len(fields) != len(given):
                continue
            rows_alone = False
            if any(is_number(fields[place]) for place in at.values()):
                above = lines[first - 1] if first else ""
                header = above if len(split(above)) == len(given) else None
                words = ["columns as given" + ("" if header is None else ", not by the header")]
                mapping = Mapping(at, said="; ".join([*words, *missing(at)]))
                return Layout(mapping, len(given), first, header, (split, str.split))
        if not is_remark(line):
            break
    if width is None or not rows_alone:
        raise EmptyLogError(f"{path} has no rows yet: expected at least one certificate")
    raise InputError(
        f"{path} has {width} columns and --columns names {len(given)}: expected a name for each, "
        f"{IGNORED} for one to ignore"
    )


def looks_like_a_log(path: Path, columns: Sequence[str] | None = None) -> bool:
    """Whether a file found in a folder is meant to be a log: text with a header, or with lines of
    as many fields as `columns` names; or nothing yet. Notes, pages and programs are none."""
    lines = None if path.suffix.lower() in _NO_LOGS else beginning(path)
    if lines is None:
        return False
    if not any(map(str.strip, lines)):
        return True
    if columns is None:
        return _header(lines) is not None
    begin = lines[:_MOST_BEFORE]
    return any(len(split(line)) == len(columns) for line in begin for split in splitters_of(line))


def _header(lines: Sequence[str]) -> tuple[int, list[str], tuple[Splitter, ...]] | None:
    """Where the header is, its names, and what may part the rows below it."""
    for place, line in enumerate(lines[:_MOST_BEFORE]):
        splitters = splitters_of(line)
        names = splitters[0](line)
        if len(splitters) > 1 and "" in names[1:]:  # the first may be the nameless one of pandas
            splitters = splitters[1:]
            names = splitters[0](line)
        names = _uncommented(names, lines[place + 1 : place + 2])
        if is_header(names):
            return place, names, splitters
        if not is_remark(line):
            break
    return None


def _uncommented(names: list[str], below: Sequence[str]) -> list[str]:
    """Without the mark that makes a header a comment (numpy.savetxt): no column, by the row."""
    if names[:1] == ["#"] and below and len(below[0].split()) == len(names) - 1:
        return names[1:]
    return names
