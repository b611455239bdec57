"""Logs, and what is true of every path: in a pipe, as JSON, missing, unreadable, several."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from doctored import doctor
from terminals import on_a_terminal

import smoothcert
from smoothcert.cli.doctor import command
from smoothcert.cli.shell.commands import smoothcert as group

_ROWS = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.5\t1\t0:00:01.0\n"


def test_a_log_of_ours_says_what_it_certifies(tmp_path: Path, model: Path, source: Path) -> None:
    log = tmp_path / "run.tsv"
    smoothcert.certify(model, source, out=log, sigma=0.5, n0=10, n=100, max=3).run()
    for path in (log, tmp_path / "run.tsv.json"):
        found = doctor(path)
        assert found.status == 0
        assert found.states("rows") == ["3"]
        assert found.states("finished") == ["yes"]
        assert "sigma 0.5" in found.notes("settings")[0]
        assert found.states("model") == [model.name]
        assert found.states("source") == [source.name]
        assert [words[1] for words in found.commands] == ["analyze", "audit"]
    os.unlink(log)  # noqa: PTH108
    assert doctor(tmp_path / "run.tsv.json").status == 1


def test_a_log_of_others_says_that_it_lacks_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "sigma_0.25").write_text(_ROWS)
    found = doctor(tmp_path / "sigma_0.25")
    assert found.status == 0
    assert found.states("manifest") == ["none"]
    assert [words[1] for words in found.commands] == ["analyze"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", _ROWS.replace("\t", ",").encode()),
        ("log", _ROWS.replace("\t", " ").encode()),
        ("out.txt", b"=> loading\n" + _ROWS.encode()),
        ("log", _ROWS.encode("utf-16")),
    ],
)
def test_whatever_analyze_reads_is_a_log(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert doctor(tmp_path / name).states("rows") == ["1"]


def test_a_log_that_is_not_finished_is_not_yet_audited(
    tmp_path: Path, model: Path, source: Path
) -> None:
    log = tmp_path / "run.tsv"
    smoothcert.predict(model, source, out=log, sigma=0.5, n=100, max=3).run()
    assert [words[1] for words in doctor(log).commands] == ["analyze", "audit"]
    manifest = tmp_path / "run.tsv.json"
    manifest.write_text(manifest.read_text().replace('"complete"', '"running"'))
    found = doctor(log)
    assert found.states("finished") == ["no"]
    assert [words[1] for words in found.commands] == ["analyze"]


def test_a_damaged_manifest_is_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "run.tsv").write_text(_ROWS)
    (tmp_path / "run.tsv.json").write_text('{"run":')
    for name in ("run.tsv", "run.tsv.json"):
        assert "cannot be read as a manifest" in doctor(tmp_path / name).notes("as it stands")[0]
    (tmp_path / "run.tsv.json").write_text('{"run": {"sigma": "x"}}')
    found = doctor(tmp_path / "run.tsv")
    assert found.status == 1
    assert "has run.sigma 'x'" in found.notes("as it stands")[0]


def test_images_without_labels_are_none_of_them_wrong(tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text(_ROWS.replace("0\t1\t1\t0.5\t1", "0\t-1\t1\t0.5\t0"))
    assert doctor(tmp_path / "log.tsv").notes("rows") == ["no labels, 0 abstained"]


def test_a_log_in_other_columns_is_read_by_them(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(_ROWS.replace("radius", "linf_radius"))
    found = doctor(log)
    assert found.status == 0
    (words,) = found.commands
    assert words[1] == "analyze"
    assert CliRunner().invoke(group, words[1:]).exit_code == 0


@pytest.mark.parametrize("text", ["", "idx\tlabel\tpredict\tradius\tcorrect\ttime\n", "a\tb\n1\n"])
def test_a_log_that_says_nothing_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.tsv").write_text(text)
    found = doctor(tmp_path / "log.tsv")
    assert found.status == 1
    assert found.states("as it stands") == ["refused"]


def test_a_pipe_gets_plain_lines(tmp_path: Path, model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smoothcert.cli.main", "doctor", str(model)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(doctor(model).entries)
    assert done.stdout.splitlines()[-1].endswith(f"certify {model} SOURCE out.tsv --sigma 0.25")


def test_a_terminal_shows_commands_that_can_be_copied(model: Path) -> None:
    """Unbroken, however narrow it is."""
    code = f"from smoothcert.cli.doctor import command; command([{str(model)!r}])"
    shown = on_a_terminal(code, columns=60).splitlines()
    assert f"smoothcert certify {model} SOURCE out.tsv --sigma 0.25" in shown
    assert not any("│ next" in line for line in shown)


def test_a_missing_path_is_wrong_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smoothcert.cli.main", "doctor", str(tmp_path / "no such file")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "does not exist" in done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "an empty name does not exist: expected a model, images or a log"),
        ("https://example.org/m.onnx", "nothing is downloaded"),
        ("two\nlines", r"two\\nlines does not exist"),
        ("no-*.tar", "does not exist"),
    ],
)
def test_what_is_no_path_is_refused(given: str, words: str) -> None:
    result = CliRunner().invoke(command, [given])
    assert re.search(words, str(result.exception))
    assert "\n" not in str(result.exception)


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = CliRunner().invoke(command, [str(tmp_path / "pipe")])
    assert "is no file and no folder" in str(result.exception)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_file_is_refused(tmp_path: Path, model: Path) -> None:
    model.chmod(0)
    result = CliRunner().invoke(command, [str(model)])
    assert "cannot be read" in str(result.exception)


def test_every_line_has_its_path(model: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text(_ROWS)
    found = doctor(model, source, tmp_path / "log.tsv")
    paths = {entry["path"] for entry in found.entries}
    assert paths == {str(model), str(source), str(tmp_path / "log.tsv"), f"{model} {source}"}


def test_names_that_break_lines_do_not(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.npz"
    np.savez(path, images=np.zeros((2, 4, 4), np.uint8), labels=np.arange(2))
    result = CliRunner().invoke(command, [str(path)])
    assert len(result.stdout.splitlines()) == len(json.loads(
        CliRunner().invoke(command, ["--json", str(path)]).stdout
    ))  # fmt: skip
