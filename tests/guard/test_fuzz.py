"""What guides nothing changes files, and what is found is kept."""

import random
from pathlib import Path

from fuzz import Guarded, changed, earlier


def test_random_changes_change_a_file() -> None:
    """What is read where nothing guides the fuzzing."""
    rng = random.Random(0)
    found = {changed(rng, bytes(range(64))) for _ in range(100)}
    assert len(found) > 80
    assert {len(content) > 64 for content in found} == {True, False}


def test_a_finding_is_kept_once_for_each_place(tmp_path: Path) -> None:
    def read(data: bytes) -> None:
        if data.startswith(b"a"):
            raise TypeError("one place")
        if data:
            raise TypeError("another")

    guarded = Guarded(read, tmp_path)
    for data in (b"", b"a1", b"a2", b"b"):
        guarded(data)
    kept = [path for path in tmp_path.iterdir() if path.suffix != ".txt"]
    assert sorted(path.read_bytes() for path in kept) == [b"a1", b"b"]
    assert all("TypeError" in path.with_suffix(".txt").read_text() for path in kept)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "ended-timeout-0").write_bytes(b"slow")
    assert sorted(earlier(tmp_path)) == [b"a1", b"b"]
    assert [path.name for path in tmp_path.rglob("*-*")] == ["ended-timeout-0"]
    assert (tmp_path / "corpus" / "ended-timeout-0").read_bytes() == b"slow"
