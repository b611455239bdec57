"""Mutation testing of the core: which mistakes would its tests not notice?

    python guard/mutation.py OUT.jsonl --rooms noise statistics log --sample 300

Makes the mutants of each room (mutants.py), in a random order that the seed fixes, runs the room's
tests on each (warm_pytest.py), first those that call what was changed, and writes a line per
mutant: killed (a test failed, or never ended) or survived. What is in OUT.jsonl already is not run
again, but for its survivors with --again; of code that has changed since it counts for nothing.
known_survivors.json lists survivors that are no mistakes, each with the reason.
"""

import argparse
import ast
import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warm_pytest
from mutants import Mutant, mutants

REPOSITORY = Path(__file__).resolve().parents[1]
KNOWN = Path(__file__).parent / "known_survivors.json"


@dataclass(frozen=True)
class Room:
    """Files whose mutants are made, and what tests them: files or folders."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS = {
    "noise": Room(("engine/noise",), ("tests/engine/noise",)),
    "statistics": Room(("engine/statistics",), ("tests/engine/statistics",)),
    "log": Room(
        ("engine/log",),
        ("tests/engine/log", "tests/engine/run/test_certification.py"),
    ),
    "audit": Room(
        ("engine/run/audit_rows.py", "engine/run/scheduler.py"),
        ("tests/engine/run/test_audit.py", "tests/engine/run/test_scheduler.py"),
    ),
}

Key = tuple[str, str, str, str]


def key_of(entry: dict[str, Any]) -> Key:
    """What tells a mutant, wherever its file's other lines have gone."""
    return entry["file"], entry["function"], entry["before"], entry["after"]


def known_survivors() -> dict[Key, str]:
    """Why a mutant that survives is no mistake."""
    return {key_of(entry): entry["why"] for entry in json.loads(KNOWN.read_text())}


@dataclass(frozen=True)
class Candidate:
    """A mutant of a file, and what of the file numba compiles."""

    file: str
    mutant: Mutant
    compiled: bool

    def entry(self) -> dict[str, Any]:
        """What is told of it."""
        mutant = self.mutant
        return {
            "file": self.file,
            "line": mutant.line,
            "function": mutant.function,
            "before": mutant.before,
            "after": mutant.after,
        }


def candidates(folder: Path, room: Room) -> Iterator[Candidate]:
    """Every mutant of a room in a copy of the repository."""
    for name in room.files:
        path = folder / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            source = file.read_text()
            frozen = compiled_functions(source)
            for mutant in mutants(source):
                # What a module holds is frozen into what numba compiles.
                compiled = bool(frozen) and mutant.function in {"", *frozen}
                yield Candidate(str(file.relative_to(folder)), mutant, compiled)


def compiled_functions(source: str) -> set[str]:
    """The functions of a module that numba compiles."""
    return {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
        and any("compiled" in ast.unparse(mark) for mark in node.decorator_list)
    }


class Baseline:
    """What each test of a room does on the unchanged code."""

    def __init__(self, scratch: Path, room: Room, files: list[str]) -> None:
        result = scratch / "baseline"
        process = warm_pytest.start(result, room.tests, watched=files)
        os.waitpid(process, 0)
        records = json.loads(result.with_suffix(".json").read_text())["records"]
        self.broken = sorted(name for name, (_, failed, _) in records.items() if failed)
        good = {name: record for name, record in records.items() if not record[1]}
        self._seconds: dict[str, float] = {name: record[0] for name, record in good.items()}
        self._calls = {name: {tuple(call) for call in record[2]} for name, record in good.items()}

    def order(self, candidate: Candidate) -> list[str]:
        """The tests that call what is changed, then the others of its own test file. Where none is
        known to call it, those that call anything of the file, since numba calls unseen and what a
        module holds is no call; all of them where there are none of these either."""
        file, mutant = candidate.file, candidate.mutant
        mirror = f"/test_{Path(file).stem}.py::"
        calling = {name for name, calls in self._calls.items() if (file, mutant.first) in calls}
        near = calling or {
            name for name, calls in self._calls.items() if any(file == one for one, _ in calls)
        }
        near = near | {name for name in self._seconds if mirror in name}

        def rank(name: str) -> tuple[bool, bool, float, str]:
            return name not in calling, mirror not in name, self._seconds[name], name

        return sorted(near or self._seconds, key=rank)

    def cpu_seconds(self, order: list[str]) -> int:
        """After this much a changed program is taken never to end."""
        return int(20 + 3 * sum(self._seconds[name] for name in order))


def verdict_of(result: Path, status: int) -> dict[str, Any]:
    """What a fork found."""
    try:
        said = json.loads(result.with_suffix(".json").read_text())
    except FileNotFoundError:
        return {"verdict": "killed", "by": f"ended by {os.waitstatus_to_exitcode(status)}"}
    if said["exit"] == 0:
        return {"verdict": "survived", "by": ""}
    return {"verdict": "killed", "by": said["failed"] or "collection"}


def results(path: Path) -> dict[Key, dict[str, Any]]:
    """The last line of each mutant in a file of results; nothing where there is no file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {key_of(line): line for line in map(json.loads, lines)}


def survivors(lines: Mapping[Key, dict[str, Any]]) -> set[Key]:
    """Those that no test noticed and that are not known to be no mistakes."""
    return {key for key, line in lines.items() if line["verdict"] == "survived"} - {
        *known_survivors()
    }


def run_room(room: Room, options: argparse.Namespace, scratch: Path, folder: Path) -> None:
    """Run what is asked of a room's mutants, and append a line for each."""
    alike = {key_of(each.entry()): each for each in candidates(folder, room)}
    done = results(options.out)
    if options.again:
        again = survivors(done)
        keys = [key for key in alike if key in again]
    else:
        keys = list(alike)
        random.Random(options.seed).shuffle(keys)  # what a stopped run has done is a fair sample
        keys = [key for key in keys[: options.sample or None] if key not in done]
    found = [alike[key] for key in keys if options.only in alike[key].file]
    if not found:
        return
    baseline = Baseline(scratch, room, sorted({each.file for each in found}))
    if baseline.broken:
        print("fail as they are, and are left out:", *baseline.broken, flush=True)
    waiting = iter(enumerate(found))
    running: dict[int, tuple[Candidate, Path, float]] = {}
    with options.out.open("a") as out:
        while True:
            while len(running) < options.jobs and (task := next(waiting, None)):
                number, candidate = task
                result = scratch / str(number)
                change = warm_pytest.Change(
                    candidate.file, candidate.mutant.tree, candidate.compiled
                )
                order = baseline.order(candidate)
                limit = baseline.cpu_seconds(order)
                files = sorted({name.partition("::")[0] for name in order})
                process = warm_pytest.start(result, files, order, change, cpu_seconds=limit)
                running[process] = candidate, result, time.monotonic()
            if not running:
                return
            process, status = _ended(running)
            candidate, result, began = running.pop(process)
            line = candidate.entry() | verdict_of(result, status)
            line["seconds"] = round(time.monotonic() - began, 1)
            out.write(json.dumps(line) + "\n")
            out.flush()
            for left in scratch.glob(f"{result.name}.*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _ended(running: dict[int, tuple[Candidate, Path, float]]) -> tuple[int, int]:
    """Wait for one of them; one that sleeps for ever is ended."""
    while True:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)  # what it started
            return process, status
        for group, (_, _, began) in running.items():
            if time.monotonic() - began > 1800:
                os.killpg(group, signal.SIGKILL)
        time.sleep(0.02)


def summary(lines: list[dict[str, Any]]) -> str:
    """Per file: mutants, killed, survivors that are known to be no mistakes, and the score."""
    known = known_survivors()
    rows = ["file                                         mutants killed equal score"]
    total = [0, 0, 0]
    for file in [*sorted({line["file"] for line in lines}), ""]:
        mine = [line for line in lines if file in line["file"]]
        killed = sum(line["verdict"] == "killed" for line in mine)
        equal = sum(line["verdict"] == "survived" and key_of(line) in known for line in mine)
        total = [len(mine), killed, equal]
        score = killed / max(1, total[0] - equal)
        rows.append(f"{file or 'all':44s} {total[0]:7d} {killed:6d} {equal:5d} {score:5.3f}")
    return "\n".join(rows)


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--sample", type=int, default=0, help="mutants of each room; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a file's path")
    parser.add_argument("--again", action="store_true", help="the survivors in OUT.jsonl")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="only tell what OUT.jsonl holds")
    options = parser.parse_args()
    options.out = options.out.resolve()
    if not options.report:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="mutation-") as name:
            scratch, folder = Path(name) / "runs", Path(name) / "tree"
            scratch.mkdir()
            warm_pytest.snapshot(REPOSITORY, folder)
            warm_pytest.warm_up(folder)
            for room in options.rooms:
                run_room(ROOMS[room], options, scratch, folder)
    all_there = [each for room in options.rooms for each in candidates(REPOSITORY, ROOMS[room])]
    there = {key_of(each.entry()) for each in all_there}
    lines = {key: line for key, line in results(options.out).items() if key in there}
    unnoticed = survivors(lines)
    for line in (lines[key] for key in lines if key in unnoticed):
        print(f"{line['file']}:{line['line']} {line['function']}")
        print(f"    - {line['before']}\n    + {line['after']}")
    print(summary(list(lines.values())))
    print(f"{len(lines)} of {len(there)} mutants were run")


if __name__ == "__main__":
    main()
