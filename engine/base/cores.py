"""How many cores this process may use: its affinity, and the CPU quotas of its control groups."""

import math
import os
import sys
from functools import cache
from pathlib import Path

from smoothcert.engine.base.control_groups import group_folders, text_of
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
    container up to its own): see group_folders. What cannot be read limits nothing.
    """
    found = [
        quota
        for version, folder in group_folders(root, "cpu")
        if (quota := _QUOTA[version](folder)) is not None
    ]
    return min(found, default=None)


def _quota_v1(folder: Path) -> float | None:
    return _ratio(text_of(folder / "cpu.cfs_quota_us"), text_of(folder / "cpu.cfs_period_us"))


def _quota_v2(folder: Path) -> float | None:
    quota, _, period = text_of(folder / "cpu.max").partition(" ")
    return _ratio(quota, period)


_QUOTA = {1: _quota_v1, 2: _quota_v2}


def _ratio(quota: str, period: str) -> float | None:
    """Of two numbers of microseconds; None for "max", "-1" and what is no number."""
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return None
    return int(quota) / int(period)
