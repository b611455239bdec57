"""Signals at any moment, and machines with nothing to write to."""

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LINE = b"smoothcert: interrupted; the same command resumes\n"
IMPORTING = """
import sys, time
from smoothcert.cli.main import main
wanted = sys.argv[1]
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            print("now", flush=True)
            for _ in range(600):  # one long sleep may begin just after a signal has come
                time.sleep(0.1)
sys.meta_path.insert(0, Slow())
sys.argv = ["smoothcert", "certify", "absent", "absent", "out.tsv", "--sigma", "0.25"]
main()
"""


def _ended(process: "subprocess.Popen[bytes]", number: int) -> tuple[int, bytes]:
    assert process.stdout is not None
    assert process.stdout.readline() == b"now\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=50)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("module", ["click", "smoothcert.cli.certify", "numba"])
def test_1b_a_signal_while_a_command_is_starting(
    module: str, number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTING, module],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        # Whoever runs the tests may ignore it (nohup), and so would the command.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    assert _ended(process, number) == (130, LINE)
    assert list(tmp_path.iterdir()) == []


def test_1b_a_signal_that_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTING, "click"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(50) == 130


FINALISER = """
import os, signal, sys
from smoothcert.cli.main import main
from smoothcert.cli.shell import commands
class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass
class Asked(dict):
    def __contains__(self, name):
        Last()
        print("went on")
        return super().__contains__(name)
commands.COMMANDS = Asked(commands.COMMANDS)
sys.argv = ["smoothcert", "analyze", "absent"]
main()
"""


def test_1b_a_signal_that_python_would_ignore_ends_the_command() -> None:
    """In a finaliser an exception is printed and forgotten: the command would go on."""
    done = subprocess.run(
        [sys.executable, "-c", FINALISER], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr, done.stdout) == (130, LINE, b"")


UNWRITABLE = """
import sys
from numba.core import caching
# As where neither the installation nor the home may be written, for root too.
places = caching.CacheImpl._locator_classes
caching.CacheImpl._locator_classes = [p for p in places if "UserProvided" in p.__name__]
assert len(places) > len(caching.CacheImpl._locator_classes) == 1
from smoothcert.cli.main import main
main()
"""


@pytest.mark.parametrize("cache", ["own", "shared", "none"])
def test_r1_nothing_can_be_written_but_the_log(
    cache: str, model: Path, source: Path, tmp_path: Path
) -> None:
    """An installation and a home that are read-only: what is compiled goes to the cache, if it is
    nobody else's, or nowhere."""
    nowhere = tmp_path / "file"
    nowhere.touch()
    environment = {**os.environ, "HOME": str(nowhere), "XDG_CACHE_HOME": str(nowhere / "x")}
    environment.pop("SMOOTHCERT_CACHE")
    folder = tmp_path / "cache"
    if cache != "none":
        environment["SMOOTHCERT_CACHE"] = str(folder)
    if cache == "shared":
        (folder / "compiled").mkdir(parents=True)
        (folder / "compiled").chmod(0o777)
    log = tmp_path / "out.tsv"
    asked = ["--sigma=0.25", "--n=100", "--max=2", "--backend=onnxruntime", "--batch=8"]
    done = subprocess.run(
        [sys.executable, "-c", UNWRITABLE, "certify", model, source, log, *asked],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(log.read_text().splitlines()) == 3
    kept = list((folder / "compiled").rglob("*.nbc")) if cache != "none" else []
    assert bool(kept) is (cache == "own")


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "folder"])
def test_a_damaged_cache_is_computed_again(
    damage: str, model: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smoothcert.cli.main import main

    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "cache"))
    asked = ["--sigma=0.25", "--n=200", "--max=3", "--seed=1", "--radii=0,0.1"]
    logs = []
    for name in ("a.tsv", "b.tsv"):
        log = tmp_path / name
        with pytest.raises(SystemExit) as end:
            main(["certify", str(model), str(source), str(log), "--backend=onnxruntime", *asked])
        assert end.value.code == 0
        logs.append([line.split("\t")[:5] for line in log.read_text().splitlines()])
        if len(logs) == 2:
            break
        for kind in ("batch", "boundaries", "row_independence"):
            entries = list((tmp_path / "cache" / kind).iterdir())
            assert entries
            for entry in entries:
                content = entry.read_bytes()
                entry.unlink()
                if damage == "folder":
                    entry.mkdir()
                else:
                    changed = {"garbage": b"\xff" * 99, "empty": b"", "cut": content[:-9]}
                    entry.write_bytes(changed[damage])
    assert logs[0] == logs[1]


def test_a_clock_that_jumps_changes_no_row(
    model: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times are taken of a clock that nobody sets."""
    from smoothcert.cli.main import main

    asked = ["--sigma=0.25", "--n=200", "--seed=1", "--backend=onnxruntime", "--batch=8"]
    jumps = itertools.cycle([4e9, 0.0, 1e9, -1e6])
    logs = []
    for name in ("steady.tsv", "jumping.tsv"):
        log = tmp_path / name
        with pytest.raises(SystemExit) as end:
            main(["certify", str(model), str(source), str(log), *asked])
        assert end.value.code == 0
        rows = [line.split("\t") for line in log.read_text().splitlines()[1:]]
        assert all(re.fullmatch(r"0:0[0-9]:[0-9]{2}\.[0-9]{6}", row[5]) for row in rows)
        logs.append([row[:5] + row[6:] for row in rows])
        monkeypatch.setattr(time, "time", lambda: next(jumps))
        monkeypatch.setattr(time, "time_ns", lambda: int(next(jumps) * 1e9))
    assert logs[0] == logs[1]


def test_a_temporary_folder_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    code = (
        "import tempfile, sys; absent = sys.argv.pop(1)\n"
        "tempfile._candidate_tempdir_list = lambda: [absent]\n"
        "from smoothcert.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, absent, "bench", "--arch=small_cnn"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No usable temporary directory" in done.stderr
