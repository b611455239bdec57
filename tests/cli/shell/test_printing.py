"""Lines are printed so that a terminal shows them and obeys nothing in them."""

import pytest

from smoothcert.cli.shell.printing import complain, echo, echo_lines, flush_stdout
from smoothcert.engine.base.errors import RunStoppedError


def test_lines_stay_lines_and_the_rest_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    echo("a\x1b[31m\nb\tc")
    echo_lines("d\x1b[31m\ne")
    echo("\u202ex", err=True)
    said = capsys.readouterr()
    assert said.out == "a\\x1b[31m\\nb\\tc\nd\\x1b[31m\ne\n"
    assert said.err == "\\u202ex\n"


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("a\nb\x1b")
    assert capsys.readouterr().err == "smoothcert: a b\\x1b\n"


class _Full:
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        raise ValueError("of a test")


def test_what_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", _Full())
    with pytest.raises(RunStoppedError, match="stdout cannot be written"):
        echo("x")
    error = flush_stdout()
    assert error is not None
    assert error.errno == 28


def test_without_a_stderr_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", _Full())
    complain("x")
