"""Which field of a row is which column, by the names above the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smoothcert.analysis.reading.fields import shown
from smoothcert.analysis.reading.names import (
    COUNTS,
    IGNORED,
    OURS,
    PREDICTIONS,
    REQUIRED,
    like_a_radius,
    of_another_norm,
    places,
)
from smoothcert.engine.base.errors import InputError

_MOST_NAMED = 8


@dataclass(frozen=True)
class Mapping:
    """Where each column that is read stands in a row.

    ours   whether the header is one of our own logs': those are read to the letter
    said   what a reader should know of it, where it is more than the names themselves say
    """

    at: dict[str, int]
    ours: bool = False
    said: str | None = None


def mapping_of(path: Path, names: Sequence[str], further: Sequence[str] = ()) -> Mapping:
    """The columns of a header by name, in whatever order; others are ignored, but for `further`.

    Without `radius` it is a log of predictions, as of the original's predict.py. Raises
    InputError where a column that is needed is missing, where two have a name of the same, and
    where the radius may be another column or of another norm than L2; it says how --columns would
    read it.
    """
    if tuple(names[: len(OURS)]) == OURS:
        _refuse_repeats(path, names)
        return Mapping({name: place for place, name in enumerate(names)}, ours=True)
    found = {column: _place(path, names, column) for column in REQUIRED}
    at = {column: place for column, place in found.items() if place is not None}
    for column in ("label", "predict"):
        if column not in at:
            raise InputError(
                f"{path} has no column {column} among {_listed(names)}: expected the columns "
                f"{' '.join(REQUIRED)}, or --columns to say which is which"
            )
    if "radius" in at:
        _refuse_rivals(path, names, at)
    else:
        _refuse_unnamed_radius(path, names, at)
    # A log of ours of another version; elsewhere these names mean anything.
    counts = COUNTS if tuple(names[: len(REQUIRED)]) == REQUIRED and "n0" in names else ()
    at |= {column: names.index(column) for column in (*counts, *further) if column in names}
    return Mapping(at, said=_said(names, at))


def _refuse_repeats(path: Path, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path} has two columns {shown(name)}: expected each once")


def _place(path: Path, names: Sequence[str], column: str) -> int | None:
    found = places(names, column)
    if len(found) > 1 and column == "time":  # nothing rests on it
        return None
    if len(found) > 1:
        first, second = (shown(names[place]) for place in found[:2])
        both = f"two columns {first}" if first == second else f"the columns {first} and {second}"
        raise InputError(
            f"{path} has {both}, and {column} could be either: expected one of them; --columns "
            "names the columns from left to right, - for one to ignore"
        )
    return found[0] if found else None


def _refuse_rivals(path: Path, names: Sequence[str], at: dict[str, int]) -> None:
    """Under its own name a radius is taken at its word beside radii of other kinds; beside another
    name of the same, and under such a name, it must be the only one."""
    chosen = names[at["radius"]]
    others = [name for place, name in enumerate(names) if place not in at.values()]
    if chosen == "radius":
        rivals = [name for name in others if places([name], "radius")]
    else:
        rivals = [n for n in others if "radi" in n.lower() and not of_another_norm(n)]
    if rivals:
        raise _either(path, names, at, [chosen, *rivals])


def _refuse_unnamed_radius(path: Path, names: Sequence[str], at: dict[str, int]) -> None:
    free = [place for place in range(len(names)) if place not in at.values()]
    others = [place for place in free if of_another_norm(names[place])]
    if others:
        raise InputError(
            f"{path} has the column {shown(names[others[0]])}, which is of another norm than L2: "
            f"expected radius; {_proposal(names, {**at, 'radius': others[0]})} reads it as one"
        )
    doubtful = [names[place] for place in free if like_a_radius(names[place])]
    if doubtful:
        raise _either(path, names, at, doubtful)


def _either(
    path: Path, names: Sequence[str], at: dict[str, int], candidates: Sequence[str]
) -> InputError:
    """What refuses columns that may be the radius; it proposes none of them."""
    known = {column: place for column, place in at.items() if column != "radius"}
    one_of = f"has no column radius, which {_listed(candidates)} may be"
    if "radius" in candidates:
        one_of = f"has {_listed(candidates)}, each of which may be the radius"
    return InputError(
        f"{path} {one_of}: expected {_proposal(names, known)} with radius in its place"
    )


def _proposal(names: Sequence[str], at: dict[str, int]) -> str:
    """The --columns that reads a header in this way."""
    by_place = {place: column for column, place in at.items()}
    return "--columns " + ",".join(by_place.get(place, IGNORED) for place in range(len(names)))


def _said(names: Sequence[str], at: dict[str, int]) -> str | None:
    read = sorted(at, key=at.__getitem__)
    if tuple(names) == PREDICTIONS:
        return None
    parts = [f"{names[at[c]]} is read as {c}" for c in read if names[at[c]] != c]
    if [c for c in REQUIRED if c in at] != [c for c in read if c in REQUIRED]:
        parts.append(f"the order is {', '.join(c for c in read if c in REQUIRED)}")
    ignored = [name for i, name in enumerate(names) if name and i not in at.values()]
    if ignored:
        parts.append(f"ignored: {_listed(ignored)}")
    parts += missing(at)
    return f"columns by name ({'; '.join(parts)})" if parts else None


def missing(at: dict[str, int]) -> list[str]:
    """What stands in for the columns that a log has not."""
    words = {
        "idx": "no idx: the rows are numbered",
        "radius": "no radius: predictions alone",
        "correct": "no correct: it is predict = label",
        "time": "no time",
    }
    return [text for column, text in words.items() if column not in at]


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(shown(name)[1:-1] for name in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{listed} and {more} more" if more > 0 else listed
