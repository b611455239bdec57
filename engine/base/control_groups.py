"""The control groups that this process is in: where what limits its time and memory is told.

Read from what Linux shows under /proc and /sys; other systems have neither.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


def group_folders(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """The folders of this process' group under a controller ("cpu", "memory") and of those around
    it, as far as they are visible (in a container up to its own), each with the version, 1 or 2, of
    its hierarchy. None where nothing can be read.

    `root` holds the folder proc, and the mount points that proc/self/mountinfo names.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for version, group in dict(_groups(groups, controller)).items():
        for folder in _folders(group, list(_mounts(mounts, version, controller))):
            yield version, root / folder.relative_to("/")


def text_of(file: Path) -> str:
    """A small file of the system's; empty where it cannot be read."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class _Mount:
    """Where a hierarchy can be seen: the group that is at the top of it, and the folder."""

    top: PurePosixPath
    point: PurePosixPath


def _groups(text: str, controller: str) -> Iterator[tuple[int, PurePosixPath]]:
    """Of /proc/self/cgroup: version -> this process' group in the hierarchies of a controller."""
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controller in controllers.split(","):
            yield 1, PurePosixPath(group)
        elif (number, controllers) == ("0", ""):
            yield 2, PurePosixPath(group)


def _mounts(text: str, version: int, controller: str) -> Iterator[_Mount]:
    """Of /proc/self/mountinfo: the mounts of a controller's hierarchy."""
    for line in text.splitlines():
        place, _, kind = line.partition(" - ")
        fields, described = place.split(" "), kind.split(" ")
        if len(fields) < 5 or len(described) < 3:
            continue
        here = described[0] == "cgroup2"
        if version == 1:
            here = described[0] == "cgroup" and controller in described[2].split(",")
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
