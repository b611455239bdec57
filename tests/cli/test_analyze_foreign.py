"""analyze on logs that others wrote, on folders of them, and on images without labels."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smoothcert.cli.analyze import command
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
CASES = {
    "plain.tsv": HEADER + "0\t3\t3\t0.5\t1\t0:00:01.0\n",
    "minus_one_radius.tsv": HEADER
    + "0\t3\t-1\t-1.0\t0\t0:00:01.0\n1\t2\t2\t0.5\t1\t0:00:01.0\n",
    "base_predict": "idx\tlabel\tpredict\tbasePredict\tcorrect\ttime\n"
    "0\t3\t3\t3\t1\t0:00:01.0\n1\t2\t-1\t4\t0\t0:00:01.0\n",
    "header_only.tsv": HEADER,
    "cumulative_correct.tsv": HEADER + "0\t3\t3\t0.5\t1\t0:00:01\n1\t4\t4\t0.5\t2\t0:00:01\n",
    "more_columns.tsv": "idx\tlabel\tpredict\tradius\tcorrect\tpABar\tAt\tAd\ttime\n"
    "0\t3\t3\t0.5\t1\t.9\t1\t1\t0:00:01\n",
    "spaced_tabs.txt": "idx \t label \t predict \t linf_radius \t prob_lb \t correct \t time\n"
    "0 \t 3 \t 3 \t 0.01 \t 0.9 \t 1 \t 0:00:01\n",
}  # fmt: skip
SPACED = "idx,label,predict,radius,-,correct,time"
UNLABELLED = HEADER + "0\t-1\t3\t0.5\t0\t1\n1\t-1\t-1\t0.0\t0\t1\n"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, text in CASES.items():
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return folder


def analyze(*arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)])


def figures(output: str) -> dict[str, list[str]]:
    """The cells of a text table by the log's name."""
    return {line.split()[0]: line.split()[1:] for line in output.splitlines()[1:]}


@pytest.mark.parametrize(
    ("name", "cells", "said"),
    [
        ("plain.tsv", "1.000 1.000 1.000 1 0.000", None),
        ("minus_one_radius.tsv", "0.500 0.500 0.500 2 0.500", "or one below 0, is 0"),
        ("base_predict", "0.500 0.000 0.000 2 0.500", "no radius: predictions alone"),
        ("cumulative_correct.tsv", "1.000 1.000 1.000 2 0.000", "running total: recomputed"),
        ("more_columns.tsv", "1.000 1.000 1.000 1 0.000", "ignored: pABar, At, Ad"),
    ],
)
def test_a_log_that_others_wrote(logs: Path, name: str, cells: str, said: str | None) -> None:
    done = analyze(name, "--radii", "0,0.25,0.5")
    assert done.exit_code == 0
    assert figures(done.stdout)[name.removesuffix(".tsv")][:-1] == cells.split()
    if said is None:
        assert done.stderr == ""
    else:
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("header_only.tsv", "has no rows yet"),
        ("spaced_tabs.txt", f"another norm than L2: expected radius; --columns {SPACED} reads it"),
    ],
)
def test_alone_it_is_refused(logs: Path, name: str, words: str) -> None:
    done = analyze(name)
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)
    assert (done.stdout, done.stderr) == ("", "")


def test_columns_read_what_the_header_does_not_tell(logs: Path) -> None:
    done = analyze("spaced_tabs.txt", "--columns", SPACED, "--radii", "0,0.01,0.25")
    assert figures(done.stdout)["spaced_tabs.txt"][:4] == ["1.000", "1.000", "0.000", "1"]
    assert done.stderr == "spaced_tabs.txt: columns as given, not by the header\n"
    (logs / "bare").write_text("3,3,0.5\n2,2,0.1\n")
    done = analyze("bare", "--columns", "label,predict,radius", "--radii", "0.25")
    assert figures(done.stdout)["bare"][0] == "0.500"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--columns", "idx,label"], "names no predict"),
        (["--columns", "idx,label,predict"], "has 6 columns and --columns names 3"),
        (["--columns", SPACED, "--transferred"], "do not go together"),
    ],
)
def test_columns_that_cannot_be_used(logs: Path, options: list[str], words: str) -> None:
    done = analyze("plain.tsv", *options)
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)


@pytest.mark.parametrize("named", [[*CASES], ["."], ["*"]])
def test_all_cases_at_once(logs: Path, named: list[str]) -> None:
    done = analyze(*named, "--radii", "0,0.25,0.5")
    assert done.exit_code == 2  # one is of another norm
    assert sorted(figures(done.stdout)) == [
        "base_predict", "cumulative_correct", "minus_one_radius", "more_columns", "plain",
    ]  # fmt: skip
    lines = done.stderr.splitlines()
    assert len([line for line in lines if line.startswith("smoothcert: ")]) == 2
    assert all(line.endswith("; left out") for line in lines if line.startswith("smoothcert: "))
    assert len(lines) == 6


@pytest.mark.parametrize("named", [["plain.tsv", "header_only.tsv"], ["?*a*.tsv"]])
def test_empty_ones_are_left_out_without_harm(logs: Path, named: list[str]) -> None:
    done = analyze(*named)
    assert done.exit_code == 0
    assert "plain" in figures(done.stdout)
    assert done.stderr.count("has no rows yet: expected at least one certificate; left out") == 1


def test_where_none_can_be_read_each_has_its_line(logs: Path) -> None:
    arguments = ["analyze", "header_only.tsv", "spaced_tabs.txt"]
    program = [sys.executable, "-m", "smoothcert.cli.main", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=logs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 2
    assert all(line.startswith("smoothcert: ") for line in done.stderr.splitlines())


def test_what_many_logs_have_in_common_is_said_once(logs: Path) -> None:
    for name in "abc":
        (logs / name).write_text(CASES["more_columns.tsv"])
    done = analyze("a", "b", "c")
    assert done.stderr == "a and 2 more: columns by name (ignored: pABar, At, Ad)\n"


def test_json_says_what_was_inferred_and_skipped(logs: Path) -> None:
    done = analyze(".", "--format", "json", "--radii", "0")
    report = json.loads(done.stdout)
    assert set(report["inferred"]) == {
        "base_predict", "cumulative_correct", "minus_one_radius", "more_columns",
    }  # fmt: skip
    assert report["inferred"]["cumulative_correct"] == ["correct is a running total: recomputed"]
    assert [(entry["log"], entry["damaged"]) for entry in report["skipped"]] == [
        ("header_only.tsv", False), ("spaced_tabs.txt", True),
    ]  # fmt: skip
    plain = json.loads(analyze("plain.tsv", "--format", "json").stdout)
    assert set(plain) == {"radii", "logs"}


def test_a_reference_of_adversarial_predictions(logs: Path) -> None:
    (logs / "more").write_text(CASES["base_predict"].replace("2\t-1\t4\t0", "2\t2\t4\t1"))
    done = analyze("base_predict", "--reference", "more", "--format", "json")
    report = json.loads(done.stdout)
    assert report["logs"][0]["correct_accurate"] == report["logs"][0]["abstained"] == 1
    assert set(report["inferred"]) == {"base_predict", "more"}
    done = analyze("base_predict", "header_only.tsv", "--reference", "more", "--format", "json")
    assert done.exit_code == 0
    assert [entry["log"] for entry in json.loads(done.stdout)["skipped"]] == ["header_only.tsv"]
    assert analyze("base_predict", "spaced_tabs.txt", "--reference", "more").exit_code == 2


def test_plots_and_reports_of_those_that_can_be_read(logs: Path, tmp_path: Path) -> None:
    plot, page = tmp_path / "a.svg", tmp_path / "a.html"
    done = analyze("plain.tsv", "more_columns.tsv", "header_only.tsv", "--plot", plot,
                   "--html", page, "--radii", "0")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert plot.stat().st_size > 0
    assert "Inferred in reading it: columns by name (ignored: pABar, At, Ad)." in page.read_text()


def test_images_without_labels(logs: Path, tmp_path: Path) -> None:
    (logs / "bare.tsv").write_text(UNLABELLED)
    page = tmp_path / "a.html"
    done = analyze("bare.tsv", "--radii", "0,0.5,1", "--html", page)
    assert done.stdout.startswith("certified share, whatever the label ")
    assert done.stdout.splitlines()[1].split() == [
        "bare", "0.500", "0.500", "0.000", "2", "0.500", "0.250",
    ]  # fmt: skip
    text = page.read_text()
    assert "Certified share at radius 0" in text
    assert "these images have none, so no figure here is an accuracy" in text
    for words in ("Certified accuracy", "classified correctly", "<dt>Wrong</dt>", "Accuracy at 0"):
        assert words not in text
    done = analyze("bare.tsv", "plain.tsv")
    assert isinstance(done.exception, InputError)
    assert "bare.tsv has no labels (label -1) and plain.tsv has" in str(done.exception)
    assert done.stderr == ""  # the one line is the error's


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_a_name_that_is_no_text_is_printed(tmp_path: Path, form: str) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tsv"))
    path.write_text(CASES["plain.tsv"])
    done = subprocess.run(
        [sys.executable, "-m", "smoothcert.cli.main", "analyze", str(path), "--format", form],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf" in done.stdout
