"""Files as strangers have them: how their names are told."""

from collections.abc import Sequence

from smoothcert.engine.base.wording import printable

_MOST_NAMES = 12
_LONGEST = 2000


def some_of(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """The names, separated by commas; of more than `most` the first, and how many there are."""
    shown = printable(", ".join(names[:most]))
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}..."
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
