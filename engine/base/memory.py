"""How much memory is left to this process: what a file says of its size is held against it before
anything is allocated.

Read from what Linux shows under /proc and /sys; other systems tell nothing, and refuse at the
allocation.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from smoothcert.engine.base.errors import InputError

_SMALL = 1 << 26
"""Bytes that are there without a look."""


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that may still be allocated, of the machine and of the control groups that this process
    is in; None where nothing tells. `root` holds the folders proc and sys."""
    return min(_all_limits(root), default=None)


def check_fits(size: int, what: str, expected: str = "data that fit") -> None:
    """Raise InputError where `size` bytes, for `what`, are more than the memory that is left."""
    if size <= _SMALL:
        return
    left = available_memory()
    if left is not None and size > left:
        raise InputError(
            f"{what} needs {size / 1e9:,.1f} GB of memory, {left / 1e9:,.1f} GB are left: expected "
            f"{expected}"
        )


def _all_limits(root: Path) -> Iterator[int]:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        amount, _, unit = rest.strip().partition(" ")
        if name == "MemAvailable" and amount.isdecimal() and unit == "kB":
            yield int(amount) * 1024
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if (number, controllers) == ("0", ""):
            yield from _group(root / "sys/fs/cgroup", group, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            yield from _group(root / "sys/fs/cgroup/memory", group, *names)


def _group(mount: Path, group: str, limit: str, usage: str) -> Iterator[int]:
    """What is left of a control group and of those around it, as far as they can be seen."""
    below = PurePosixPath("/", group)
    for folder in (below, *below.parents):
        here = mount / folder.relative_to("/")
        most, used = _text(here / limit), _text(here / usage)
        if most.isdecimal() and used.isdecimal():
            yield max(0, int(most) - int(used) + _cached(_text(here / "memory.stat")))


def _cached(stat: str) -> int:
    """What is used for the content of files, and is given back when it is needed."""
    amounts = dict(line.split(" ", 1) for line in stat.splitlines() if " " in line)
    for prefix in ("total_", ""):  # of a group and those below it, in version 1
        found = [amounts.get(f"{prefix}{name}_file", "") for name in ("active", "inactive")]
        if all(amount.isdecimal() for amount in found):
            return sum(map(int, found))
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
