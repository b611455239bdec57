"""What reaches a terminal: our one line, printable, whatever the names and libraries say."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import onnx
import pytest
from onnx import helper

from smoothcert.cli.main import main
from smoothcert.cli.shell.printing import SHOW_WARNINGS
from smoothcert.cli.watchers import JsonLog
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.base.wording import printable, printable_json

RUN = [sys.executable, "-m", "smoothcert.cli.main"]
HOSTILE = {
    "escape": "a\x1b[31mb",
    "title": "a\x1b]0;x\x07",
    "override": "a\u202egnp.b",
    "c1": "a\x9b31mb",
    "bytes": os.fsdecode(b"a\xff"),
    "lines": "a\nb\rc\u2028d",
    "delete": "a\x7fb",
}
PATHS = [
    ["certify", "{}", "im.npz", "out.tsv", "--sigma=0.25"],
    ["certify", "absent.onnx", "{}", "out.tsv", "--sigma=0.25"],
    ["certify", "absent.onnx", "im.npz", "{}/out.tsv", "--sigma=0.25"],
    ["certify", "absent.onnx", "im.npz", "out.tsv", "--sigma=0.25", "--labels={}"],
    ["certify", "absent.onnx", "im.npz", "out.tsv", "--sigma=0.25", "--indices={}"],
    ["certify", "absent.onnx", "im.npz", "out.tsv", "--sigma=0.25", "--device={}"],
    ["certify", "absent.onnx", "im.npz", "out.tsv", "--sigma={}"],
    ["certify", "absent.onnx", "im.npz", "out.tsv", "--sigma=0.25", "--backend={}"],
    ["certify", "absent.onnx", "im.npz", "out.tsv", "--sigma=0.25", "--{}"],
    ["export", "{}", "-o", "out.onnx"],
    ["export", "absent", "-o", "{}/out.onnx"],
    ["build", "{}", "-o", "out.plan"],
    ["build", "absent", "-o", "{}/out.plan"],
    ["analyze", "{}"],
    ["audit", "{}", "im.npz"],
    ["merge", "out.tsv", "{}"],
    ["visualize", "{}", "out", "0", "0.25"],
    ["bench", "{}"],
    ["bench", "--arch={}"],
    ["doctor", "{}"],
    ["{}"],
]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_esc_no_argument_reaches_the_terminal_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every command, in every place of a path or a word."""
    monkeypatch.chdir(tmp_path)
    for arguments in PATHS:
        with pytest.raises(SystemExit) as end:
            main([part.format(text) for part in arguments])
        said = capsys.readouterr()
        assert end.value.code == 2, (arguments, said.err)
        assert said.out == ""
        assert said.err.startswith("smoothcert: ")
        assert said.err[:-1].isprintable(), said.err
        assert said.err.encode()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_esc_events_are_printable_json(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    JsonLog().event("passed over", {"reason": text})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert json.loads(line)["reason"] == text
    assert printable_json({"a": "größe"}) == '{"a": "größe"}'


@pytest.mark.parametrize("name", HOSTILE.values(), ids=list(HOSTILE))
def test_u1_files_of_any_name_are_certified_and_audited(
    name: str, model: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / f"{name}.npz"
    # No runtime opens a model by a name that is not Unicode: that one is refused, see below.
    network = tmp_path / ("model.onnx" if "\udcff" in name else f"{name}.onnx")
    try:
        network.write_bytes(model.read_bytes())
        images.write_bytes(source.read_bytes())
    except OSError as error:
        pytest.skip(f"this file system has no such names: {error!r}")
    log = tmp_path / f"{name}.tsv"
    asked = ["--sigma=0.25", "--n=200", "--max=2", "--backend=onnxruntime", "--batch=8"]
    for arguments in (
        ["certify", str(network), str(images), str(log), *asked],
        ["audit", str(log), str(images), "--rows=1"],
        ["analyze", str(log)],
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        said = capsys.readouterr()
        assert end.value.code == 0, said.err
        assert said.out.replace("\n", "").isprintable()
        if arguments[0] != "analyze":  # whose table shows the shape of a name
            assert printable(log) in said.out
        assert said.err == ""
    content = Path(f"{log}.json").read_bytes()
    assert json.loads(content.decode("utf-8"))["status"] == "complete"


def test_u1_a_model_whose_name_is_not_unicode_is_refused_in_one_line(
    model: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tmp_path / os.fsdecode(b"a\xff.onnx")
    try:
        network.write_bytes(model.read_bytes())
    except OSError as error:
        pytest.skip(f"this file system has no such names: {error!r}")
    log = tmp_path / "out.tsv"
    with pytest.raises(SystemExit) as end:
        main(["certify", str(network), str(source), str(log), "--sigma=0.25"])
    err = capsys.readouterr().err
    assert end.value.code == 2
    assert err[:-1].isprintable()
    assert "rename" in err
    assert not log.exists()


@pytest.mark.parametrize("text", ["\ud800", "\x1b[31m", "\u202e"], ids=["alone", "escape", "mark"])
@pytest.mark.parametrize("entry", ["arch", "precision", "interpolation", "other"])
def test_o3_metadata_of_no_text_is_refused_or_recorded_as_text(
    entry: str, text: str, model: Path, source: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Either the model is refused with nothing written, or the manifest is whole and readable."""
    network = onnx.load(model)
    said = {"input_shape": [3, 6, 6], "mean": [], "std": [], "resize": None,
            "interpolation": "bilinear", "num_classes": 4, entry: f"a{text}"}  # fmt: skip
    helper.set_model_props(network, {METADATA_KEY: json.dumps(said)})
    path, log = tmp_path / "other.onnx", tmp_path / "out.tsv"
    onnx.save(network, path)
    asked = ["--sigma=0.25", "--n=200", "--max=2", "--backend=onnxruntime", "--batch=8"]
    with pytest.raises(SystemExit) as end:
        main(["certify", str(path), str(source), str(log), *asked])
    err = capsys.readouterr().err
    if end.value.code == 0:
        assert json.loads(Path(f"{log}.json").read_bytes().decode())["status"] == "complete"
        assert err == ""
    else:
        assert end.value.code == 2
        assert err[:-1].isprintable()
        assert not log.exists()


def _run(*arguments: str | bytes, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*RUN, *arguments], capture_output=True, check=False, env={**os.environ, **environment}
    )


NOISY = """
import logging, sys, warnings
from smoothcert.cli.main import main
from smoothcert.cli.shell import commands
class Noisy(dict):
    def __contains__(self, name):
        warnings.warn("P2 a library warns", UserWarning)
        logging.getLogger("library").warning("and logs")
        logging.warning("and so")
        return super().__contains__(name)
commands.COMMANDS = Noisy(commands.COMMANDS)
sys.argv = ["smoothcert", "analyze", "absent"]
main()
"""


@pytest.mark.parametrize(("shown", "lines"), [("0", 1), ("1", 4)])
def test_p2_warnings_of_libraries_are_not_shown_unless_asked_for(shown: str, lines: int) -> None:
    environment = {**os.environ, SHOW_WARNINGS: shown}
    environment.pop("PYTHONWARNINGS", None)
    done = subprocess.run(
        [sys.executable, "-c", NOISY], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert len(said) >= lines if lines > 1 else len(said) == 1, done.stderr


def test_a_test_still_sees_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    before = list(warnings.filters)
    with pytest.raises(SystemExit):
        main(["analyze", "absent"])
    assert warnings.filters == before


def test_output_is_escaped_where_an_encoding_has_no_letter_for_it(tmp_path: Path) -> None:
    log = tmp_path / "größe.tsv"
    log.write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.5\t1\t0:00:01\n")
    done = _run("analyze", str(log), PYTHONIOENCODING="ascii", LC_ALL="C", LANG="C")
    assert done.returncode == 0, done.stderr
    assert b"gr\\xf6\\xdfe" in done.stdout


def _redirected(shell: str, log: Path) -> "subprocess.CompletedProcess[bytes]":
    command = f'"{sys.executable}" -m smoothcert.cli.main analyze "{log}" {shell}'
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.tsv"
    path.write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.5\t1\t0:00:01\n")
    return path


@pytest.mark.parametrize("shell", [">&-", ">/dev/full"])
def test_a_stdout_that_cannot_be_written_is_said(shell: str, log: Path) -> None:
    done = _redirected(shell, log)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"stdout cannot be written" in done.stderr


@pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full"])
def test_without_stderr_the_table_is_printed(shell: str, log: Path) -> None:
    done = _redirected(shell, log)
    assert done.returncode == 0
    assert b"certified accuracy" in done.stdout
    absent = _redirected(shell, log.with_name("absent"))
    assert (absent.returncode, absent.stdout) == (2, b"")


def test_a_reader_that_has_seen_enough_is_no_error(log: Path) -> None:
    command = f'"{sys.executable}" -m smoothcert.cli.main analyze "{log}" | true'
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert done.stderr == b""
