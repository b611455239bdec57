import subprocess
import sys
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.memory import available_memory, check_fits


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


MACHINE = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n"}


def test_the_machine_tells(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None
    write(tmp_path, MACHINE)
    assert available_memory(tmp_path) == 8000 * 1024


@pytest.mark.parametrize(
    ("line", "mount", "folder", "limit", "usage", "prefix"),
    [
        (
            "0::/a/b",
            "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
            "sys/fs/cgroup/a",
            "memory.max",
            "memory.current",
            "",
        ),
        (
            "4:memory:/a/b",
            "31 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
            "sys/fs/cgroup/memory/a",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_",
        ),
    ],
)
def test_a_group_around_this_one_limits(
    tmp_path: Path, line: str, mount: str, folder: str, limit: str, usage: str, prefix: str
) -> None:
    files = {
        **MACHINE,
        "proc/self/cgroup": f"{line}\n",
        "proc/self/mountinfo": f"{mount}\n",
        f"{folder}/{limit}": "5000\n",
        f"{folder}/{usage}": "3000\n",
    }
    write(tmp_path, files)
    assert available_memory(tmp_path) == 2000
    # What files fill is given back.
    stat = f"anon 7\n{prefix}active_file 400\n{prefix}inactive_file 100\n"
    write(tmp_path, {f"{folder}/memory.stat": stat})
    assert available_memory(tmp_path) == 2500
    write(tmp_path, {f"{folder}/{limit}": "max\n"})
    assert available_memory(tmp_path) == 8000 * 1024


@pytest.mark.parametrize(
    ("name", "used"), [("Max address space    ", "VmSize"), ("Max data size        ", "VmData")]
)
def test_the_limits_of_this_process_count(tmp_path: Path, name: str, used: str) -> None:
    """As /proc tells them: soft and hard, in bytes."""
    files = {
        **MACHINE,
        "proc/self/limits": f"Limit  Soft  Hard  Units\n{name} 5120000  unlimited  bytes\n",
        "proc/self/status": f"Name:\tp\nUid:\t0\t0\n{used}:\t    3000 kB\n",
    }
    write(tmp_path, files)
    assert available_memory(tmp_path) == 2000 * 1024
    write(tmp_path, {"proc/self/limits": f"{name} unlimited  unlimited  bytes\n"})
    assert available_memory(tmp_path) == 8000 * 1024


def test_a_limit_that_is_set_is_seen() -> None:
    """ulimit -v, which this system really has."""
    if available_memory() is None:
        pytest.skip("no /proc")
    code = (
        "import resource; from smoothcert.engine.base.memory import available_memory as left\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); print(left())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 0 < int(done.stdout) < 2**31


def test_what_does_not_fit_is_refused() -> None:
    check_fits(10**6, "an image")
    if available_memory() is not None:
        with pytest.raises(InputError, match=r"an image needs 1,000,000\.0 GB of memory"):
            check_fits(10**15, "an image")
