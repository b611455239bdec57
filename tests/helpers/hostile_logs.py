"""A log of twelve images, made honestly, and commands that are given it after it was damaged."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smoothcert.cli.main import main

OPTIONS = ("--sigma", "0.5", "--n", "300", "--n0", "20", "--batch", "32", "--seed", "0",
           "--backend", "onnxruntime")  # fmt: skip


@dataclass
class Commands:
    """Commands in this process, with a model and images of their own."""

    model: Path
    source: Path
    capfd: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> tuple[int, str]:
        """Exit code and stderr."""
        self.capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, self.capfd.readouterr().err

    def certify(self, out: Path, *options: object) -> tuple[int, str]:
        """Begin a log, or resume it."""
        return self("certify", self.model, self.source, out, *OPTIONS, *options)

    def refused(self, *arguments: object) -> str:
        """The one line of a command that refuses what it is given."""
        return one_line(*self(*arguments))

    def certify_refused(self, out: Path, *options: object) -> str:
        """The one line of a certify that refuses what it is given."""
        return one_line(*self.certify(out, *options))


def one_line(code: int, said: str) -> str:
    """What a command says that ends with exit code 2: one line, in plain characters."""
    assert code == 2, said
    assert said.count("\n") == 1, said
    assert said.startswith("smoothcert: ")
    assert said[:-1].isprintable()
    return said


def state(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder: files with their bytes, links with where they lead."""
    return {
        path.name: str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.iterdir()
        if path.is_symlink() or path.is_file()
    }


def change_lines(log: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the lines of a log, each with its end; line 1 is at 0."""
    log.write_bytes(b"".join(change(log.read_bytes().splitlines(keepends=True))))


def change_manifest(log: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest in place."""
    path = Path(f"{log}.json")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
