"""Targets of fuzzing: true files are read, refusals pass, and nothing else does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_files import mutated
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


def test_damaged_files_are_read_or_refused_in_one_line(readers: Readers) -> None:
    """A few for each reader, always the same ones; `make fuzz` has an hour."""
    few = settings(max_examples=6, derandomize=True, database=None, deadline=None)
    for target in readers.targets().values():
        seeds = st.sampled_from(list(target.seeds.values()))
        few(given(content=seeds.flatmap(mutated))(of_content(target.read)))()


def test_a_refusal_is_one_short_line_without_control_characters() -> None:
    check_line("smoothcert: x.tsv is no log\n")
    for text in ("two\nlines\n", "", "x" * 5000, "\x1b[31mred\n"):
        with pytest.raises(FindingError):
            check_line(text)


def test_commands_end_as_they_should(tmp_path: Path) -> None:
    assert "Usage" in command("merge", "--help")
    command("merge", tmp_path / "out.tsv", tmp_path / "none.tsv")
