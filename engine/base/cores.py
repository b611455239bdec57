"""How many cores this process may use: its affinity, and the CPU quotas of its control groups.

Read from what Linux shows under /proc and /sys; other systems have neither.
"""

import math
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from smoothcert.engine.base.ranges import THREADS

_OPENMP = "OMP_NUM_THREADS"


def usable_cores() -> int:
    """The cores this process may use, at least 1: where every number of threads here comes from.

    The fewest of two: those it may run on (`taskset` and cpusets, as its affinity tells), and the
    CPU quota of its control groups, read once, a part of a core rounded up: of 1.5 cores one
    thread would leave a third unused, and two are only paused when they are used up.
    PYTHON_CPU_COUNT (Python 3.13), where it is set, says the number instead.
    """
    said = getattr(sys.flags, "cpu_count", -1)
    if said > 0:
        return int(said)
    quota = _quota_here()
    cores = runnable_cores()
    return cores if quota is None else min(cores, max(1, math.ceil(quota)))


def runnable_cores() -> int:
    """The cores this process may run on, whatever time its control groups leave it there."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # systems that pin no process to cores


def cores_for(asked: int | None) -> int:
    """The cores for a run that was told `asked` threads: usable_cores where it was told none, and
    never more than it may run on, since threads beyond those spin for the time of the others.

    Raises InputError for a number out of range.
    """
    if asked is None:
        return usable_cores()
    return min(THREADS.whole_number(asked), max(usable_cores(), runnable_cores()))


def limit_libraries() -> None:
    """Have libraries that size their own pools (torch's OpenMP, BLAS, Arrow) keep to usable_cores.

    They look at the affinity and not at quotas: threads for 64 cores, which spin, would share the
    time of two. To be called before they are imported; says nothing where they would be right, nor
    over an OMP_NUM_THREADS that is set. Processes that are started from here inherit it.
    """
    if usable_cores() < runnable_cores():
        os.environ.setdefault(_OPENMP, str(usable_cores()))


@cache
def _quota_here() -> float | None:
    return cpu_quota()


def cpu_quota(root: Path = Path("/")) -> float | None:
    """The cores' worth of time that this process may use; None where nothing limits it.

    The least of its own control group and those around it, as far as they are visible (in a
    container up to its own), in hierarchies of version 1 and 2 alike. `root` holds the folder proc,
    and the mount points that proc/self/mountinfo names. What cannot be read limits nothing.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    of_group = dict(_groups(groups))
    found = [
        quota
        for version in of_group
        for folder in _folders(of_group[version], list(_mounts(mounts, version)))
        if (quota := _QUOTA[version](root / folder.relative_to("/"))) is not None
    ]
    return min(found, default=None)


@dataclass(frozen=True)
class _Mount:
    """Where a hierarchy can be seen: the group that is at the top of it, and the folder."""

    top: PurePosixPath
    point: PurePosixPath


def _groups(text: str) -> Iterator[tuple[int, PurePosixPath]]:
    """Of /proc/self/cgroup: version -> this process' group in the hierarchy that limits time."""
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if "cpu" in controllers.split(","):
            yield 1, PurePosixPath(group)
        elif (number, controllers) == ("0", ""):
            yield 2, PurePosixPath(group)


def _mounts(text: str, version: int) -> Iterator[_Mount]:
    """Of /proc/self/mountinfo: the mounts of the hierarchy that limits time."""
    for line in text.splitlines():
        place, _, kind = line.partition(" - ")
        fields, described = place.split(" "), kind.split(" ")
        if len(fields) < 5 or len(described) < 3:
            continue
        here = described[0] == "cgroup2"
        if version == 1:
            here = described[0] == "cgroup" and "cpu" in described[2].split(",")
        top, point = map(_unescaped, fields[3:5])
        if here and point.startswith("/"):
            yield _Mount(PurePosixPath(top), PurePosixPath(point))


def _unescaped(name: str) -> str:
    """A name of mountinfo, which writes a blank as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), name)


def _folders(group: PurePosixPath, mounts: list[_Mount]) -> Iterator[PurePosixPath]:
    """The folders of a group and of those around it, of every mount where they can be seen.

    Where no mount shows the group (a container that sees its own group alone, under another name),
    the top of each stands for it.
    """
    showing = [mount for mount in mounts if group.is_relative_to(mount.top)]
    for mount in showing:
        below = mount.point / group.relative_to(mount.top)
        while below != mount.point:
            yield below
            below = below.parent
    for mount in showing or mounts:
        yield mount.point


def _quota_v1(folder: Path) -> float | None:
    return _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _quota_v2(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return _ratio(quota, period)


_QUOTA = {1: _quota_v1, 2: _quota_v2}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _ratio(quota: str, period: str) -> float | None:
    """Of two numbers of microseconds; None for "max", "-1" and what is no number."""
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return None
    return int(quota) / int(period)
