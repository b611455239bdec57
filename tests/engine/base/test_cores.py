"""How many cores a process may use: affinity, and quotas of control groups in trees of files."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from smoothcert.engine.base.cores import cpu_quota, runnable_cores, usable_cores

_V1 = "31 23 0:28 {top} {point} rw,relatime - cgroup cgroup rw,cpu,cpuacct"
_V2 = "30 23 0:26 {top} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
_OTHER = "32 23 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset"
_ROOT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"


def tree(root: Path, group: str, mounts: list[str], files: Mapping[str, str]) -> Path:
    """A system whose process is in `group`; `files` have no leading slash."""
    texts = {"proc/self/cgroup": group, "proc/self/mountinfo": "\n".join([_ROOT, *mounts, ""])}
    for name, text in (texts | dict(files)).items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def v1(folder: str, quota: int, period: int = 100_000) -> dict[str, str]:
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota}\n",
        f"{folder}/cpu.cfs_period_us": f"{period}\n",
    }


def v2(folder: str, quota: int | str, period: int = 100_000) -> dict[str, str]:
    return {f"{folder}/cpu.max": f"{quota} {period}\n"}


@pytest.mark.parametrize(("quota", "period", "cores"), [(150_000, 100_000, 1.5), (50, 200, 0.25)])
def test_the_quota_of_either_version(tmp_path: Path, quota: int, period: int, cores: float) -> None:
    mount = _V2.format(top="/", point="/sys/fs/cgroup")
    new = tree(tmp_path / "new", "0::/\n", [mount], v2("sys/fs/cgroup", quota, period))
    assert cpu_quota(new) == cores
    mount = _V1.format(top="/", point="/sys/fs/cgroup/cpu,cpuacct")
    files = v1("sys/fs/cgroup/cpu,cpuacct", quota, period)
    old = tree(tmp_path / "old", "5:memory:/\n4:cpu,cpuacct:/\n", [_OTHER, mount], files)
    assert cpu_quota(old) == cores


def test_no_quota_is_none(tmp_path: Path) -> None:
    mount = _V2.format(top="/", point="/sys/fs/cgroup")
    assert cpu_quota(tree(tmp_path / "max", "0::/", [mount], v2("sys/fs/cgroup", "max"))) is None
    assert cpu_quota(tree(tmp_path / "root", "0::/", [mount], {})) is None  # a host's top group
    mount = _V1.format(top="/", point="/cpu")
    assert cpu_quota(tree(tmp_path / "v1", "4:cpu:/", [mount], v1("cpu", -1))) is None
    assert cpu_quota(tree(tmp_path / "zero", "4:cpu:/", [mount], v1("cpu", 5, 0))) is None
    assert cpu_quota(tmp_path / "no such folder") is None


def test_the_least_of_the_groups_around(tmp_path: Path) -> None:
    """A pod's quota holds for a container with a larger one or none, and the other way round."""
    mount, group = _V2.format(top="/", point="/sys/fs/cgroup"), "0::/pods/one/box\n"
    top = "sys/fs/cgroup"
    files = v2(f"{top}/pods", 800_000) | v2(f"{top}/pods/one", 300_000)
    outer = files | v2(f"{top}/pods/one/box", "max") | v2(f"{top}/pods/two", 100_000)
    assert cpu_quota(tree(tmp_path / "outer", group, [mount], outer)) == 3
    inner = files | v2(f"{top}/pods/one/box", 200_000)
    assert cpu_quota(tree(tmp_path / "inner", group, [mount], inner)) == 2
    mount, group = _V1.format(top="/", point="/cpu"), "4:cpu:/pods/one\n"
    files = v1("cpu/pods", 400_000) | v1("cpu/pods/one", -1)
    assert cpu_quota(tree(tmp_path / "v1", group, [mount], files)) == 4


@pytest.mark.parametrize("group", ["/docker/abc", "/", "/../def"])
def test_a_container_sees_its_own_group_at_the_top(tmp_path: Path, group: str) -> None:
    """Under the name that the host gives it, under its own, or under one from beside it."""
    mount = _V1.format(top="/docker/abc", point="/sys/fs/cgroup/cpu")
    files = v1("sys/fs/cgroup/cpu", 250_000)
    assert cpu_quota(tree(tmp_path, f"4:cpu:{group}\n", [mount], files)) == 2.5


def test_a_group_below_the_mounted_one(tmp_path: Path) -> None:
    mount = _V2.format(top="/slice/box", point="/sys/fs/cgroup")
    files = v2("sys/fs/cgroup", "max") | v2("sys/fs/cgroup/job", 100_000)
    assert cpu_quota(tree(tmp_path, "0::/slice/box/job\n", [mount], files)) == 1


def test_another_containers_mount_does_not_count(tmp_path: Path) -> None:
    mounts = [_V2.format(top="/", point="/sys/fs/cgroup"), _V2.format(top="/b", point="/other")]
    files = v2("sys/fs/cgroup/a", 200_000) | v2("other", 100_000)
    assert cpu_quota(tree(tmp_path, "0::/a\n", mounts, files)) == 2


def test_both_versions_side_by_side(tmp_path: Path) -> None:
    """A hybrid system: version 1 limits, version 2 is there for systemd; and a blank in a name."""
    mounts = [
        _V1.format(top="/", point=r"/my\040groups/cpu"),
        _V2.format(top="/", point="/sys/fs/cgroup/unified"),
    ]
    groups = "9:name=systemd:/x\n1:cpuset:/\n2:cpu,cpuacct:/x\n0::/user.slice\n"
    files = v1("my groups/cpu/x", 120_000) | {"sys/fs/cgroup/unified/user.slice/cpu.stat": "0"}
    assert cpu_quota(tree(tmp_path, groups, mounts, files)) == 1.2


@pytest.mark.parametrize("text", ["", "\x00\xff", "a:b", "0::", "0::relative", ":::::\n- - -"])
def test_what_cannot_be_read_limits_nothing(tmp_path: Path, text: str) -> None:
    assert cpu_quota(tree(tmp_path, text, [text, "1 2 3 4 5 - cgroup2 a b"], {})) is None
    mount = _V2.format(top="/", point="/g")
    assert cpu_quota(tree(tmp_path / "x", "0::/", [mount], {"g/cpu.max": text})) is None


_COUNT = "from smoothcert.engine.base import cores;"


def _python(code: str, **environment: str) -> str:
    unset = {"OMP_NUM_THREADS", "PYTHON_CPU_COUNT"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", _COUNT + code],
        capture_output=True,
        text=True,
        check=True,
        env=kept | environment,
    )
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins no process to cores")
def test_a_pinned_process_has_one_core() -> None:
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    assert _python(one + "print(cores.usable_cores())") == "1"


@pytest.mark.parametrize(("quota", "usable"), [(None, 3), (8.0, 3), (1.5, 2), (0.25, 1)])
def test_the_fewest_of_affinity_and_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, usable: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {4, 5, 6}, raising=False)
    monkeypatch.setattr("smoothcert.engine.base.cores._quota_here", lambda: quota)
    assert (usable_cores(), runnable_cores()) == (usable, 3)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="PYTHON_CPU_COUNT is of Python 3.13")
def test_the_users_own_number_decides() -> None:
    assert _python("print(cores.usable_cores())", PYTHON_CPU_COUNT="7") == "7"


def test_libraries_are_told_of_a_quota_alone() -> None:
    """Where there is none they count right; and a number that the user set stands."""
    show = "cores.limit_libraries(); import os; print(os.environ.get('OMP_NUM_THREADS'))"
    unlimited = "cores._quota_here = lambda: None;"
    limited = "cores._quota_here = lambda: 1.0; cores.runnable_cores = lambda: 8;"
    assert _python(unlimited + show) == "None"
    assert _python(limited + show) == "1"
    assert _python(limited + show, OMP_NUM_THREADS="5") == "5"


def test_torch_keeps_to_the_quota() -> None:
    limit = "cores._quota_here = lambda: 1.0; cores.runnable_cores = lambda: 8;"
    count = "cores.limit_libraries(); import torch; print(torch.get_num_threads())"
    assert _python(limit + count) == "1"
