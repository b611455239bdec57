"""The ledger: what it writes, what it refuses, and that nothing is lost or doubled."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from full_disks import no_more_than

from smoothcert.engine.base.errors import InputError, RunStoppedError
from smoothcert.engine.log import ledger as module
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.manifest import manifest_path, read_manifest
from smoothcert.engine.log.rows import COLUMNS, Certificate, header_of
from smoothcert.engine.statistics.procedures import Decision

HEADER = header_of(COLUMNS)
RUN = {"sigma": 0.25, "model": {"sha256": "ab"}, "n": 100}


def certificate(index: int, predict: int = 3) -> Certificate:
    return Certificate(index, 3, Decision(predict, 0.5, 90, 100, 10, 110), 61.5, "00" * 8)


def write(path: Path, indices: list[int], run: dict[str, Any] | None = None) -> None:
    with Ledger(path, run or RUN, {"pid": 1}) as ledger:
        for index in indices:
            ledger.append(certificate(index))


def test_a_row_is_what_the_interface_says(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    write(path, [4])
    header, row = path.read_text().splitlines()
    assert header.split("\t")[:6] == ["idx", "label", "predict", "radius", "correct", "time"]
    assert row == "4\t3\t3\t0.500000\t1\t0:01:01.500000\t90\t100\t10\t110\t16256\t0000000000000000"


def test_a_check_sees_the_rows_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    write(path, [5, 0])
    with path.open("a") as log:
        log.write("torn")
    before = path.read_bytes(), manifest_path(path).read_bytes()
    seen = []

    def refuse(logged: Mapping[int, tuple[str, str]]) -> None:
        seen.append(logged)
        raise InputError("changed")

    with pytest.raises(InputError, match="changed"):
        Ledger(path, RUN, {"pid": 2}, check=refuse)
    assert seen == [{5: ("3", "00" * 8), 0: ("3", "00" * 8)}]
    assert (path.read_bytes(), manifest_path(path).read_bytes()) == before
    fresh = tmp_path / "fresh.tsv"
    with Ledger(fresh, RUN, {"pid": 1}, check=refuse):
        assert len(seen) == 1


def test_a_row_without_a_label_is_of_an_unlabelled_source(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    run = {**RUN, "source": {"images": 9, "read_as": {"unlabelled": True}}}
    with Ledger(path, run, {"pid": 1}) as ledger:
        ledger.append(replace(certificate(4, predict=-1), label=-1))
    assert path.read_text().splitlines()[1].split("\t")[:5] == ["4", "-1", "-1", "0.500000", "0"]
    with Ledger(path, run, {"pid": 2}) as ledger:
        assert ledger.done == {4}
    path.write_text(path.read_text().replace("4\t-1\t", "4\t1\t"))
    with pytest.raises(InputError, match=r"line 2 .* label 1, of an unlabelled source"):
        Ledger(path, run, {"pid": 3})


def test_resuming_keeps_rows_and_finishing_sorts_them(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    write(path, [5, 0])
    with Ledger(path, RUN, {"pid": 2}) as ledger:
        assert ledger.done == {0, 5}
        ledger.append(certificate(3))
        ledger.finish({"images": 3})
    lines = path.read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["idx", "0", "3", "5"]
    manifest = read_manifest(path)
    assert manifest["status"] == "complete"
    assert manifest["images"] == 3
    assert [session["pid"] for session in manifest["sessions"]] == [1, 2]


@pytest.mark.parametrize(
    "torn", ["7", "7\t3\t3\t0.5", "7\t3\t3\t0.500000\t1\t0:00:01.0\t90\t100\t10\t110\t162"]
)
def test_a_torn_last_line_is_cut(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "out.tsv"
    write(path, [0])
    whole = path.read_bytes()
    path.write_bytes(whole + torn.encode())
    with Ledger(path, RUN, {}) as ledger:
        assert ledger.done == {0}
    assert path.read_bytes() == whole


@pytest.mark.parametrize("cut", [0, 1, len(HEADER) - 1, len(HEADER)])
def test_killed_before_the_first_row(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.tsv"
    write(path, [])
    path.write_text(HEADER[:cut])
    write(path, [1])
    assert path.read_text().startswith(HEADER + "1\t")


def test_another_command_is_refused_with_the_difference(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    write(path, [0])
    before = path.read_bytes(), manifest_path(path).read_bytes()
    with pytest.raises(
        InputError,
        match=r"sigma 0\.25 \(log\) against 0\.5 \(asked\); choose another output, or the same "
        "options to resume",
    ):
        Ledger(path, {**RUN, "sigma": 0.5}, {})
    with pytest.raises(InputError, match=r"model\.sha256 ab \(log\) against cd \(asked\)"):
        Ledger(path, {**RUN, "model": {"sha256": "cd"}}, {})
    assert (path.read_bytes(), manifest_path(path).read_bytes()) == before


def test_a_file_that_is_not_ours_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    path.write_text("my notes\n")
    with pytest.raises(InputError, match="no manifest"):
        Ledger(path, RUN, {})
    manifest_path(path).write_text(json.dumps({"run": RUN, "sessions": []}))
    with pytest.raises(InputError, match="header"):
        Ledger(path, RUN, {})
    assert path.read_text() == "my notes\n"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": 3}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "out.tsv"
    write(path, [0])
    manifest_path(path).write_text(content)
    with pytest.raises(InputError, match="manifest"):
        Ledger(path, RUN, {})


@pytest.mark.parametrize(
    ("row", "words"),
    [("x\t1\n", "line 3 is no row"), (certificate(0).line(), "line 3 repeats image 0")],
)
def test_damaged_rows_are_named(tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "out.tsv"
    write(path, [0])
    with path.open("a") as file:
        file.write(row)
    with pytest.raises(InputError, match=words):
        Ledger(path, RUN, {})


SECOND_WRITER = """
import sys
from pathlib import Path
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.ledger import Ledger
try:
    Ledger(Path(sys.argv[1]), {}, {})
except InputError as error:
    print(error)
"""


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    with Ledger(path, RUN, {}):
        second = subprocess.run(
            [sys.executable, "-c", SECOND_WRITER, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "being written by another process" in second.stdout
    write(path, [0])  # and the lock goes with its holder


def test_unwritable_places_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "out.tsv", tmp_path):
        with pytest.raises(InputError, match="cannot be written"):
            Ledger(path, RUN, {})


def test_rows_survive_without_a_clean_end(tmp_path: Path) -> None:
    """A process that dies without any clean-up has its appended rows in the file."""
    path = tmp_path / "out.tsv"
    pid = os.fork()
    if pid == 0:
        ledger = Ledger(path, RUN, {})
        ledger.append(certificate(0))
        ledger.append(certificate(9))
        os._exit(0)
    os.waitpid(pid, 0)
    with Ledger(path, RUN, {}) as ledger:
        assert ledger.done == {0, 9}


def test_a_log_that_lacks_images_is_partial_until_they_have_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    with Ledger(path, RUN, {"pid": 1}) as ledger:
        ledger.append(certificate(2))
        ledger.append(certificate(0))
        ledger.add_session({"pid": 2})
        ledger.finish({"images": 4}, {3: "torn", 1: "absent"})
    manifest = read_manifest(path)
    assert manifest["status"] == "partial"
    assert manifest["failed"] == [{"idx": 1, "reason": "absent"}, {"idx": 3, "reason": "torn"}]
    assert manifest["sessions"] == [{"pid": 1}, {"pid": 2}]
    assert [line.split("\t")[0] for line in path.read_text().splitlines()[1:]] == ["0", "2"]
    with Ledger(path, RUN, {"pid": 3}) as ledger:
        assert ledger.done == {0, 2}
        ledger.append(certificate(1))
        ledger.append(certificate(3))
        ledger.finish({"images": 4})
    manifest = read_manifest(path)
    assert manifest["status"] == "complete"
    assert "failed" not in manifest


def refused_after_a_row(path: Path) -> None:
    with Ledger(path, RUN, {}) as ledger:
        ledger.append(certificate(3))
        raise InputError("later")


def test_a_run_that_is_refused_before_its_first_row_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    with pytest.raises(InputError, match="no model"), Ledger(path, RUN, {}):
        raise InputError("no model")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="later"):
        refused_after_a_row(path)
    assert path.read_text().splitlines()[1].startswith("3\t")
    assert manifest_path(path).exists()


def test_a_full_disk_stops_the_run_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    with Ledger(path, RUN, {}) as ledger:
        ledger.append(certificate(0))
        whole = path.read_bytes()
        with no_more_than(len(whole) + 5), pytest.raises(RunStoppedError) as stopped:
            ledger.append(certificate(1))
        assert str(path) in str(stopped.value)
        assert "File too large" in str(stopped.value)
    with Ledger(path, RUN, {}) as ledger:
        assert 0 in ledger.done
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    ("seconds", "synced"), [(0.0, 3), (time.monotonic(), 0)], ids=["each", "none"]
)
def test_rows_are_synced_to_the_disk_from_time_to_time(
    seconds: float, synced: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SYNC_SECONDS", seconds)
    with Ledger(tmp_path / "out.tsv", RUN, {}) as ledger:
        calls: list[int] = []
        monkeypatch.setattr(os, "fsync", calls.append)
        for index in range(3):
            ledger.append(certificate(index))
        assert len(calls) == synced
    assert len(calls) == synced + 1
