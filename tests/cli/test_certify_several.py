"""--sigma with several levels, as a user runs it: lines, exit codes, logs, JSON lines."""

import json
from pathlib import Path

import pytest
from untimed_logs import untimed

from smoothcert.cli.main import main
from smoothcert.cli.watchers import Finished
from smoothcert.engine.log.manifest import read_manifest

OPTIONS = ("--n", 200, "--n0", 10, "--batch", 32, "--backend", "onnxruntime", "--seed", 4)


def run(*arguments: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    assert isinstance(done.value.code, int)
    return done.value.code


def test_several_sigmas_write_the_logs_of_one_each(
    model: Path, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, alone = tmp_path / "out.tsv", tmp_path / "alone.tsv"
    assert run("certify", model, source, out, "--sigma", "0.25, .5,1e0", *OPTIONS) == 0
    said = capfd.readouterr()
    first, *lines = said.out.splitlines()
    assert first == f"{model}: no preprocessing recorded: [0,1] pixels"
    assert [line.partition(" in ")[0] for line in lines] == [
        f"{tmp_path / f'out_{sigma}.tsv'}: 12 images, 12 of them now,"
        for sigma in ("0.25", "0.5", "1")
    ]
    assert said.err == ""
    assert run("certify", model, source, alone, "--sigma", ".5", *OPTIONS) == 0
    assert untimed(tmp_path / "out_0.5.tsv") == untimed(alone)
    assert read_manifest(tmp_path / "out_0.5.tsv") == read_manifest(alone)
    assert not out.exists()
    # predict takes them too, and events say which log they are of.
    options = ("--sigma", "0.25,0.5", "--n", 100, "--log-json")
    capfd.readouterr()
    assert run("predict", model, source, tmp_path / "p.tsv", *options) == 0
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    told = [(each["event"], each["sigma"]) for each in events if "sigma" in each]
    assert told == [
        ("log begun", 0.25),
        ("log finished", 0.25),
        ("log begun", 0.5),
        ("log finished", 0.5),
    ]
    assert [each["samples"] for each in events if each["event"] == "log finished"] == [1200, 1200]


def test_images_that_fail_are_told_of_every_log(
    model: Path, photograph_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (photograph_folder / "red" / "3.jpg").write_bytes(b"no photograph")
    out, classes = tmp_path / "out.tsv", tmp_path / "classes.txt"
    classes.write_text("blue\nred\ngreen\nwhite\n")  # the model's four
    command = ("certify", model, photograph_folder, out, "--sigma", "0.25,0.5", "--resize", 6)
    assert run(*command, "--classes", classes, *OPTIONS) == 1
    said = capfd.readouterr()
    assert said.out.count("12 images, 11 of them now") == 2
    first, second = said.err.splitlines()
    assert "1 of 12 images could not be certified" in first
    assert "out_0.25.tsv.json names them all" in first
    assert "out_0.5.tsv.json names them all" in second


def test_what_a_cluster_calls_finished_is_no_log() -> None:
    said: list[tuple[object, ...]] = []
    watcher = Finished(lambda *about: said.append(about))
    watcher.event("finished", {"workers": []})
    details = {"log": "o", "sigma": 1, "images": 3, "certified": 2, "samples": 9, "seconds": 0.5}
    watcher.event("log finished", details)
    assert said == [("o", 3, 2, 9, 0.5)]


@pytest.mark.parametrize(
    ("sigma", "words"),
    [
        ("0.25,0.250", "sigma 0.25 comes twice"),
        ("0.25,9", "sigma 9.0 is out of range: expected 0.0002 <= sigma <= 4"),
        ("0.25,", "'0.25,' is no list of numbers separated by commas"),
        ("0.25,x", "'0.25,x' is no list of numbers separated by commas"),
        (",".join(["0.25"] * 1001), "number of numbers 1001 is out of range"),
    ],
)
def test_bad_lists_of_sigmas_end_in_one_line(
    model: Path, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    sigma: str, words: str,
) -> None:  # fmt: skip
    before = sorted(tmp_path.iterdir())
    assert run("certify", model, source, tmp_path / "out.tsv", "--sigma", sigma) == 2
    said = capfd.readouterr()
    assert words in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert sorted(tmp_path.iterdir()) == before
