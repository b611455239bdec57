"""Targets of fuzzing: true files are read, refusals pass, and nothing else does."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz import Guarded, changed, earlier
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import FindingError, Readers, check_line, command


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMOOTHCERT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Readers(tmp_path_factory.mktemp("readers"))


def test_every_reader_takes_true_files(readers: Readers) -> None:
    targets = readers.targets()
    assert len(targets) > 25
    for target in targets.values():
        assert target.seeds
        for seed in target.seeds.values():
            target.read(seed)


def of_content(read: Callable[[bytes], None]) -> Callable[..., None]:
    """As hypothesis wants a test."""

    def reading(content: bytes) -> None:
        read(content)

    return reading


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A true file with up to three stretches of it replaced, removed, doubled or cut off."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        end = min(len(content), at + draw(st.sampled_from((1, 2, 4, 16, 200))))
        match draw(st.sampled_from(["replace", "text", "remove", "double", "cut"])):
            case "replace":
                content[at:end] = draw(st.binary(min_size=end - at, max_size=end - at))
            case "text":
                content[at:end] = draw(st.sampled_from(TEXTS))
            case "remove":
                del content[at:end]
            case "double":
                content[at:at] = content[at:end]
            case _:
                del content[at:]
    return bytes(content)


TEXTS = (b"\0", b"-1", b"1e999", b"null", b"9" * 5000, b"[" * 3000, b"\t", b"\r\n", b"\xff", b'"')


def test_damaged_files_are_read_or_refused_in_one_line(readers: Readers) -> None:
    """A few for each reader, always the same ones; `make fuzz` has an hour."""
    few = settings(max_examples=6, derandomize=True, database=None, deadline=None)
    for target in readers.targets().values():
        seeds = list(target.seeds.values())
        few(given(content=damaged(seeds))(of_content(target.read)))()


def test_a_refusal_is_one_short_line_without_control_characters() -> None:
    check_line("smoothcert: x.tsv is no log\n")
    for text in ("two\nlines\n", "", "x" * 5000, "\x1b[31mred\n"):
        with pytest.raises(FindingError):
            check_line(text)


def test_commands_end_as_they_should(tmp_path: Path) -> None:
    assert "Usage" in command("merge", "--help")
    command("merge", tmp_path / "out.tsv", tmp_path / "none.tsv")


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
