"""What to type next: commands that can be typed, and said at a terminal alone."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from terminals import terminal

from smoothcert.cli.shell.commands import smoothcert
from smoothcert.cli.shell.hints import hint, next_of


def options_of(command: str, *arguments: str) -> dict[str, Any]:
    """A command line's options by their Python names."""
    with smoothcert.make_context("smoothcert", [command, *arguments]) as context:
        found = smoothcert.get_command(context, command)
        assert found is not None
        return found.make_context(command, list(arguments), parent=context).params


CERTIFY = ("model.onnx", "my images", "out.tsv", "--sigma", "0.5")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            ("certify", *CERTIFY),
            "smoothcert analyze out.tsv; to check it: smoothcert audit out.tsv 'my images'",
        ),
        (
            ("predict", *CERTIFY[:-1], "0.25,0.5", "--labels", "l.csv"),
            "smoothcert analyze out_0.25.tsv out_0.5.tsv; to check it: "
            "smoothcert audit out_0.25.tsv 'my images' --labels l.csv",
        ),
        (("certify", *CERTIFY, "--estimate"), None),
        (
            ("certify", *CERTIFY, "--shard", "1/4", "--seed", "1"),
            "smoothcert merge OUT.tsv out.tsv ... (the logs of all shards)",
        ),
        (
            ("merge", "-o.tsv", "a", "b"),
            "smoothcert analyze ./-o.tsv; to check it: smoothcert audit ./-o.tsv SOURCE",
        ),
        (
            ("export", "net.pth", "-o", "m.onnx"),
            "smoothcert certify m.onnx SOURCE out.tsv --sigma 0.25",
        ),
        (
            ("build", "m.onnx", "-o", "m.plan", "--device", "1"),
            "smoothcert certify m.plan SOURCE out.tsv --sigma 0.25 --device cuda:1",
        ),
        (
            ("train", "images", "dir", "--arch", "small_cnn", "--sigma", "0.5"),
            "smoothcert certify dir/checkpoint.pth.tar images out.tsv --sigma 0.5",
        ),
        (("analyze", "out.tsv"), None),
    ],
)
def test_the_next_command(line: tuple[str, ...], expected: str | None) -> None:
    arguments = line[1:] if line[0] != "merge" else ("--", *line[1:])
    assert next_of(line[0], options_of(line[0], *arguments)) == expected
    for part in (expected or "").split("; to check it: "):
        if part and "..." not in part:
            _, command, *words = shlex.split(part)
            options_of(command, *words)  # which click takes


def test_only_people_are_told() -> None:
    done = {"out": Path("out.tsv")}
    with terminal() as screen:
        hint("merge", done)
    assert screen.shown == (
        "\x1b[2mnext: smoothcert analyze out.tsv; to check it: smoothcert audit out.tsv SOURCE"
        "\x1b[0m\r\n"
    )
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with terminal(environment=environment) as screen:
            hint("merge", done)
        assert screen.shown.startswith("next: ")
        assert "\x1b" not in screen.shown
    for stdout, stderr in ((True, False), (False, True)):
        with terminal(stdout=stdout, stderr=stderr) as screen:
            hint("merge", done)
        assert screen.shown == ""
