"""Where a process' control groups can be seen, in trees of files."""

from pathlib import Path

from smoothcert.engine.base.control_groups import group_folders, text_of


def test_a_controller_has_its_own_hierarchy(tmp_path: Path) -> None:
    """One of version 1 beside one of version 2, as systems between the two have them."""
    texts = {
        "proc/self/cgroup": "4:cpu,cpuacct:/pods/one\n0::/box\n",
        "proc/self/mountinfo": "31 23 0:28 / /cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "30 23 0:26 / /unified rw - cgroup2 cgroup2 rw\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    of_cpu = [(1, "cpu/pods/one"), (1, "cpu/pods"), (1, "cpu")]
    unified = [(2, "unified/box"), (2, "unified")]
    for controller, expected in (("cpu", [*of_cpu, *unified]), ("memory", unified)):
        found = [(v, str(f.relative_to(tmp_path))) for v, f in group_folders(tmp_path, controller)]
        assert found == expected


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    assert list(group_folders(tmp_path, "memory")) == []
    assert text_of(tmp_path / "none") == ""
    (tmp_path / "some").write_bytes(b" max\xff\n")
    assert text_of(tmp_path / "some") == "max\N{REPLACEMENT CHARACTER}"
