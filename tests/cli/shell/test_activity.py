"""The line of what is being done: on a terminal, over itself, and gone in the end."""

import sys
from collections.abc import Iterator

import pytest
from terminals import terminal

from smoothcert.cli.shell import activity, printing
from smoothcert.cli.shell.activity import clock, fitting, shown
from smoothcert.cli.shell.printing import echo
from smoothcert.engine.base.doing import doing, shown_otherwise


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(activity, "_FIRST", 0.0)
    monkeypatch.setattr(activity, "_AGAIN", 0.005)
    yield
    assert printing.undisturbed().__class__.__name__ == "nullcontext"


def test_a_terminal_shows_what_is_done_and_how_far_it_is() -> None:
    with terminal() as screen, shown("smoothcert audit"):
        assert screen.wait_for("smoothcert audit  0:00")
        with doing("reading rows\x1b[31m", 2000) as step:
            assert screen.wait_for("reading rows\\x1b[31m  0 of 2,000, 0%, 0:00")
            step(500)
            assert screen.wait_for("reading rows\\x1b[31m  500 of 2,000, 25%, 0:00, 0:0")
            assert " left\x1b[K\r" in screen.shown
        with shown_otherwise():
            assert not screen.wait_for("never", 0.05)
            before = screen.shown
            assert not screen.wait_for("never", 0.05)
            assert screen.shown == before
    assert screen.shown.endswith("\r\x1b[K")  # nothing of it is left


def test_what_is_printed_has_lines_of_its_own() -> None:
    with terminal() as screen, shown("smoothcert merge"):
        assert screen.wait_for("smoothcert merge")
        echo("out.tsv: 3 rows")
        assert screen.wait_for("out.tsv: 3 rows")
    assert "\r\x1b[Kout.tsv: 3 rows\r\n" in screen.shown


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_terminal_that_cannot_write_over_a_line_gets_none(name: str) -> None:
    with (
        terminal(environment={"TERM": name}) as screen,
        shown("smoothcert audit"),
        doing("reading"),
    ):
        assert not screen.wait_for("r", 0.05)
    assert screen.shown == ""


def test_a_pipe_gets_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    with shown("smoothcert audit"), doing("reading", 3) as step:
        step(1)
    assert capfd.readouterr() == ("", "")


def test_lines_fit_the_terminal() -> None:
    what = "opening " + "a" * 100 + "画像.onnx"
    with terminal(40) as screen, shown("x"), doing(what, 7) as step:
        step(3)
        assert screen.wait_for("3 of 7")
    for line in screen.shown.split("\r"):
        assert len(line.replace("\x1b[K", "")) < 40
    assert fitting("short", 5) == "short"
    assert fitting("0123456789", 7) == "01...89"
    assert fitting("画像画像画像", 11) == "画像...画像"
    assert fitting("long", 2) == "..."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (61.9, "1:01"), (3599, "59:59"), (10809, "3:00:09")]
)
def test_clocks(seconds: float, text: str) -> None:
    assert clock(seconds) == text
