"""How much memory is left to this process: what a file says of its size is held against it before
anything is allocated.

Read from what Linux shows under /proc and /sys; other systems tell nothing, and refuse at the
allocation.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from smoothcert.engine.base.control_groups import group_folders, text_of
from smoothcert.engine.base.errors import InputError

_SMALL = 1 << 26
"""Bytes that are there without a look."""


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that may still be allocated, of the machine, of the control groups that this process is
    in and of its own limits (ulimit -v and -d); None where nothing tells. `root` holds the folders
    proc and sys."""
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
    free = _kilobytes(text_of(root / "proc/meminfo")).get("MemAvailable")
    if free is not None:
        yield free * 1024
    for version, folder in group_folders(root, "memory"):
        limit, usage = _FILES[version]
        most, used = text_of(folder / limit), text_of(folder / usage)
        if most.isdecimal() and used.isdecimal():
            yield max(0, int(most) - int(used) + _cached(text_of(folder / "memory.stat")))
    yield from _of_this_process(root)


_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    2: ("memory.max", "memory.current"),
}


def _of_this_process(root: Path) -> Iterator[int]:
    """What its own limits leave."""
    taken = _kilobytes(text_of(root / "proc/self/status"))
    for limit, most in re.findall(
        r"^Max (address space|data size) +(\d+) ", text_of(root / "proc/self/limits"), re.MULTILINE
    ):
        used = taken.get("VmSize" if limit == "address space" else "VmData")
        if used is not None:
            yield max(0, int(most) - used * 1024)


def _kilobytes(text: str) -> dict[str, int]:
    """The amounts of a table such as meminfo: lines like `MemAvailable:  8000 kB`."""
    return {
        name: int(amount) for name, amount in re.findall(r"^(\w+):\s*(\d+) kB$", text, re.MULTILINE)
    }


def _cached(stat: str) -> int:
    """What is used for the content of files, and is given back when it is needed."""
    amounts = dict(line.split(" ", 1) for line in stat.splitlines() if " " in line)
    for prefix in ("total_", ""):  # of a group and those below it, in version 1
        found = [amounts.get(f"{prefix}{name}_file", "") for name in ("active", "inactive")]
        if all(amount.isdecimal() for amount in found):
            return sum(map(int, found))
    return 0
