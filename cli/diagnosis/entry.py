"""The lines of a diagnosis."""

from dataclasses import asdict, dataclass

from smoothcert.engine.base.errors import InputError

ALARMING = ("missing", "broken", "read-only", "refused", "unreadable")
"""The states that something has to be done about."""


TO_TYPE = "type"
"""The state of a command to type."""


@dataclass(frozen=True)
class Entry:
    """One thing that is found.

    part   what it is about
    state  a short value; or missing, refused, unreadable (something has to be done), inferred (what
           a run would take for granted, and record), hint (what may be so: nothing is taken for
           granted from it), type (the note is a command to type)
    note   what it is, or what to do, in one line
    """

    part: str
    state: str
    note: str

    def to_json(self) -> dict[str, str]:
        """The same as JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Diagnosis:
    """What is found out of one path, or of two together.

    usable  whether something of ours takes it, with the options that the entries name
    """

    entries: tuple[Entry, ...]
    usable: bool

    def followed_by(self, *more: Entry) -> "Diagnosis":
        """The same with further lines."""
        return Diagnosis((*self.entries, *more), self.usable)


def refused(error: InputError) -> Entry:
    """The line that a run would end with."""
    return Entry("as it stands", "refused", str(error))


def inferred(said: tuple[str, ...]) -> list[Entry]:
    """What a run would say that it takes for granted."""
    return [Entry("taken for granted", "inferred", sentence) for sentence in said]


def bytes_text(size: int) -> str:
    """A size in the unit that people read it in."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def some(items: list[str], most: int = 6) -> str:
    """The first of a list, and how many more there are."""
    more = [f"and {len(items) - most} more"] if len(items) > most else []
    return ", ".join(items[:most] + more)


def sides_text(shape: tuple[int, int, int]) -> str:
    """C, H, W as `3x32x32`."""
    return "x".join(map(str, shape))
