"""Two folders are alike but for what may differ: times, sessions, measured speeds."""

from pathlib import Path

from scenarios import SCENARIOS, contents
from soak import differences

ROW = "0\t1\t1\t0.25\t1\t{}\t9\n"


def write(folder: Path, time: str, radius: str = "0.25", session: int = 0) -> Path:
    folder.mkdir()
    (folder / "out.tsv").write_text(ROW.format(time).replace("0.25", radius))
    (folder / "out.tsv.json").write_text(f'{{"run": 1, "sessions": [{session}]}}')
    (folder / "cache").mkdir()
    (folder / "cache" / "batch.json").write_text(f'{{"batch": {session}}}')
    return folder


def test_times_and_sessions_may_differ(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", "0:01"), write(tmp_path / "2", "0:02", session=5)
    assert differences(contents(one), contents(two)) == []


def test_all_else_may_not(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", "0:01"), write(tmp_path / "2", "0:01", radius="0.26")
    (one / ".out.tsv.abc").touch()
    (one / "cache" / "batch.json").unlink()
    assert differences(contents(one), contents(two)) == [
        "cache/batch.json is missing",
        ".out.tsv.abc is left over",
        "out.tsv differs",
    ]


def test_every_command_that_leaves_something_is_killed() -> None:
    names = {each.name for each in SCENARIOS}
    assert len(names) == len(SCENARIOS)
    assert {"fixed", "table", "radius", "predict", "merge", "export", "ray", "engine cache"} < names


def test_two_builds_of_an_engine_are_alike_if_both_are_there(tmp_path: Path) -> None:
    one, two, none = (tmp_path / name for name in "123")
    for folder, content in ((one, b"a"), (two, b"b"), (none, b"")):
        folder.mkdir()
        (folder / "x.plan").write_bytes(content)
    assert differences(contents(one), contents(two)) == []
    assert differences(contents(none), contents(two)) == ["x.plan differs"]
