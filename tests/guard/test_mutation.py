"""Scores of mutation testing, and the list of survivors that are no mistakes."""

import ast
import json
from pathlib import Path

import mutation
import pytest
from mutants import Mutant, heads

ROOT = Path(__file__).parents[2]


def line(after: str, verdict: str) -> dict[str, object]:
    place = {"file": "engine/x.py", "line": 3, "function": "f", "before": "a = 1"}
    return {**place, "after": after, "verdict": verdict}


def test_a_score_leaves_out_what_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line("a = 2", "killed"), line("a = 0", "survived"), line("a = 3", "survived")]
    known = {mutation.key_of(lines[1]): "zero is one here"}
    monkeypatch.setattr(mutation, "known_survivors", lambda: known)
    *_, whole = mutation.summary(lines).splitlines()
    assert whole.split() == ["all", "3", "1", "1", "0.500"]


def test_survivors_that_are_excused_are_in_the_code() -> None:
    """An entry of code that has changed excuses nothing any more."""
    known = mutation.known_survivors()
    assert all(len(why.split()) >= 3 for why in known.values())
    files = {file for file, *_ in known}
    there = {file: heads((ROOT / file).read_text()) for file in files}
    gone = [key for key in known if key[1:3] not in there[key[0]]]
    assert gone == []


def test_rooms_name_what_there_is() -> None:
    for room in mutation.ROOMS.values():
        assert all((ROOT / name).exists() for name in (*room.files, *room.tests))


def test_what_numba_freezes_is_compiled_anew() -> None:
    found = mutation.compiled_functions((ROOT / "engine/noise/sampler.py").read_text())
    assert "_refined_rank" in found
    assert "draw_noise" not in found


def test_of_a_mutant_that_ran_twice_the_last_line_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A test that was written since kills a survivor; what is excused is run no more."""
    lines = [line("a = 2", "survived"), line("a = 0", "survived"), line("a = 2", "killed")]
    lines += [line("a = 3", "survived")]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    found = mutation.results(path)
    assert [each["verdict"] for each in found.values()] == ["killed", "survived", "survived"]
    monkeypatch.setattr(mutation, "known_survivors", lambda: {mutation.key_of(lines[1]): "zero"})
    assert mutation.survivors(found) == {mutation.key_of(lines[3])}
    assert mutation.results(tmp_path / "none.jsonl") == {}


def test_every_mutant_of_a_room_is_there_once_and_knows_what_is_compiled() -> None:
    room = mutation.Room(("engine/noise/streams.py", "engine/noise/sampler.py"), ())
    found = list(mutation.candidates(ROOT, room))
    assert {each.file for each in found} == set(room.files)
    entries = [each.entry() for each in found if each.compiled]
    assert entries
    assert {entry["file"] for entry in entries} == {"engine/noise/sampler.py"}
    assert "draw_noise" not in {entry["function"] for entry in entries}


def test_the_tests_of_a_mutant_are_those_that_call_it_first() -> None:
    baseline = object.__new__(mutation.Baseline)
    calls = {"a/test_x.py::one": {("x.py", 3)}, "a/test_x.py::two": set(),
             "a/test_y.py::one": {("x.py", 3)}, "a/test_y.py::two": {("x.py", 9)},
             "a/test_y.py::three": {("y.py", 3)}}  # fmt: skip
    vars(baseline).update(_calls=calls, _seconds=dict.fromkeys(calls, 1.0))

    def order(file: str, first: int) -> list[str]:
        mutant = Mutant(0, "f", first, first + 1, "a", "b", ast.Module([], []))
        return baseline.order(mutation.Candidate(file, mutant, False))

    one, two, *others = calls
    assert order("x.py", 3) == [one, others[0], two]
    assert order("x.py", 0) == [one, two, others[0], others[1]]
    assert set(order("z.py", 0)) == set(calls)
