"""Manners of every command: what a terminal sees, what a pipe sees, and --quiet."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from terminals import terminal

from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.main import main
from smoothcert.cli.shell import activity
from smoothcert.cli.shell.commands import COMMANDS, smoothcert
from smoothcert.engine.base.doing import heard_by

SPENT = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "_FIRST", 0.0)
    monkeypatch.setattr(activity, "_AGAIN", 0.02)


@pytest.fixture
def files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linear_model: Callable[..., Path]
) -> None:
    """model.onnx and images.npz in the working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    linear_model(rng.normal(size=(4, 48)), np.zeros(4), (3, 4, 4)).rename("model.onnx")
    pixels = rng.integers(0, 256, (12, 4, 4, 3)).astype(np.uint8)
    np.savez("images.npz", images=pixels, labels=np.arange(12) % 4)


RUN = ("model.onnx", "images.npz", "out.tsv", "--sigma", "0.5", "--n", "200", "--batch", "32")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    code = ended.value.code
    assert isinstance(code, int)
    return code


def certify(*more: str) -> None:
    assert run("certify", *RUN, "--seed", "1", *more) == 0


def commands() -> dict[str, click.Command]:
    with smoothcert.make_context("smoothcert", ["doctor"]) as context:
        found = {name: smoothcert.get_command(context, name) for name in COMMANDS}
    return {name: command for name, command in found.items() if command is not None}


@pytest.mark.usefixtures("files")
def test_a_terminal_sees_a_run_and_what_to_type_next() -> None:
    with terminal() as screen:
        certify()
    shown = SPENT.sub("", screen.shown)
    assert "smoothcert certify  0:00" in shown
    assert "0/12 images" in shown
    assert " left" in shown
    *_, said, hint, _ = shown.split("\n")
    assert "out.tsv: 12 images, 12 of them now" in said
    assert hint.endswith(
        "next: smoothcert analyze out.tsv; to check it: smoothcert audit out.tsv images.npz\r"
    )
    assert COLOUR.search(screen.shown)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(environment: dict[str, str]) -> None:
    with terminal(environment=environment) as screen:
        certify()
        assert run("doctor") == 0
    assert "12 images" in screen.shown
    assert "next: smoothcert analyze" in screen.shown
    assert COLOUR.search(screen.shown) is None
    assert "TERM" not in environment or "\x1b" not in screen.shown


@pytest.mark.usefixtures("files")
def test_a_pipe_sees_results_alone(capsys: pytest.CaptureFixture[str]) -> None:
    certify()
    assert run("audit", "out.tsv", "images.npz", "--rows", "2") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert [line.partition(":")[0] for line in said.out.splitlines()] == [
        "model.onnx", "out.tsv", "out.tsv", "forged rows all escape being certified again with "
        f"probability {said.out.rpartition('probability ')[2].strip()}",
    ]  # fmt: skip


@pytest.mark.usefixtures("files")
def test_lines_of_stdout_stay_in_their_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Of several levels a line is printed while the bar is on the terminal."""
    with terminal(stdout=False) as screen:
        assert run("certify", *RUN[:4], "0.25,0.5", *RUN[5:], "--seed", "1") == 0
    out = capsys.readouterr().out
    assert out.count("12 images, 12 of them now") == 2
    assert "12/12 images" in screen.shown
    assert "of them now" not in screen.shown
    assert "next:" not in screen.shown


@pytest.mark.usefixtures("files")
def test_quiet_is_results_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal() as screen:
        certify("--quiet")
        assert run("predict", *RUN[:2], "predicted.tsv", *RUN[3:], "-q") == 0
        assert run("merge", "merged.tsv", "out.tsv", "-q") == 0
    assert screen.shown == ""
    assert Path("out.tsv").read_bytes() == Path("merged.tsv").read_bytes()
    assert run("analyze", "out.tsv", "-q", "--html", "report.html", "--format", "json") == 0
    assert run("audit", "out.tsv", "images.npz", "-q", "--rows", "1") == 0
    said = capsys.readouterr()
    assert said.err == ""
    table, _, audited = said.out.partition("\n}\n")
    assert json.loads(table + "}")["logs"][0]["images"] == 12
    assert audited.startswith("out.tsv: 12 rows recomputed, 1 certified again")
    assert run("certify", *RUN, "--seed", "2", "-q") == 2
    error = capsys.readouterr().err
    assert error.startswith("smoothcert: out.tsv was made by a different command")
    assert error.count("\n") == 1


@pytest.mark.usefixtures("files")
def test_json_lines_have_stderr_for_themselves() -> None:
    with terminal(stdout=False) as screen:
        certify("--log-json")
    events = [json.loads(line)["event"] for line in screen.shown.splitlines()]
    assert events[-1] == "image"


class Heard:
    """A Listener that keeps the works that it is told of, with the last of their steps."""

    def __init__(self) -> None:
        self.works: dict[str, tuple[int | None, int]] = {}

    def begin(self, what: str, total: int | None) -> int:
        self.works[what] = (total, 0)
        return list(self.works).index(what)

    def step(self, work: int, done: int) -> None:
        what = list(self.works)[work]
        self.works[what] = (self.works[what][0], done)

    def end(self, work: int) -> None:
        pass

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


@pytest.mark.usefixtures("files")
def test_long_works_tell_what_they_are_and_how_far_they_are() -> None:
    heard = Heard()
    with heard_by(heard):
        certify("--max", "3")
        certify("--max", "3")
        assert run("audit", "out.tsv", "images.npz", "--rows", "2") == 0
        assert run("merge", "merged.tsv", "out.tsv") == 0
        assert run("analyze", "out.tsv", "merged.tsv", "--source", "images.npz",
                   "--html", "report.html") == 0  # fmt: skip
        assert run("certify", *RUN[:2], "new.tsv", *RUN[3:], "--estimate", "--max", "2") == 0
    counted = {what: found for what, found in heard.works.items() if found[0]}
    assert {"opening model.onnx", "preparing the network"} <= heard.works.keys()
    assert "reading out.tsv, which goes on" in heard.works
    assert counted.pop("reckoning each mode")[0]
    assert counted == {
        "recomputing rows": (3, 3),
        "comparing pixels": (3, 3),
        "certifying images again": (2, 2),
        "checking rows": (3, 3),
        "writing rows": (4, 4),
        "reading logs": (2, 2),
        "making pictures of the images": (3, 3),
        "trying images": (2, 2),
    }


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_80_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        assert run(*filter(None, [name]), "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_every_command_can_be_quiet_and_completes_paths() -> None:
    for name, command in commands().items():
        if name == "completion":  # what it prints is a script
            continue
        assert isinstance(command, GroupedCommand), name
        assert any("--quiet" in parameter.opts for parameter in command.params), name
        for parameter in command.params:
            if parameter.name in ("source", "model", "log", "logs", "out", "shards", "outdir",
                                  "output", "paths", "plot", "html", "labels", "classes", "test",
                                  "reference", "transfer_to", "indices"):  # fmt: skip
                assert isinstance(parameter.type, click.Path), (name, parameter.name)


@pytest.mark.usefixtures("files")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_source_that_cannot_be_read_is_said_by_who_opens_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("images.npz").chmod(0)
    assert run("certify", *RUN) == 2
    assert "images.npz: cannot be read (Permission denied)" in capsys.readouterr().err


def test_tables_fit_the_terminal_and_keep_their_lines_in_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "resnet110_trained_with_noise_of_sigma_0.50_and_evaluated_with_it_too.tsv"
    log.write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t2.1\t1\t1.0\n")
    radii = ",".join(str(0.125 * number) for number in range(17))
    for columns in (80, 120):
        with terminal(columns) as screen:
            assert run("analyze", str(log), "--radii", radii) == 0
        lines = screen.shown.replace("\r\x1b[K", "").splitlines()
        assert max(map(len, lines)) <= columns
        assert sum(line.count("r=") for line in lines) == 17
    assert run("analyze", str(log), "--radii", radii) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
