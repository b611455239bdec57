"""What `smoothcert doctor PATH...` says, for tests."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from smoothcert.cli.doctor import command
from smoothcert.cli.shell.commands import smoothcert


@dataclass(frozen=True)
class Doctored:
    """The entries of a diagnosis, and how the command ended."""

    entries: list[dict[str, str]]
    status: int

    def notes(self, part: str) -> list[str]:
        """The notes of every entry of a part."""
        return [entry["note"] for entry in self.entries if entry["part"] == part]

    def states(self, part: str) -> list[str]:
        """The states of every entry of a part."""
        return [entry["state"] for entry in self.entries if entry["part"] == part]

    @property
    def commands(self) -> list[list[str]]:
        """The commands to type, each as its words."""
        return [shlex.split(note) for note in self.notes("next")]


def doctor(*words: str | Path) -> Doctored:
    """Run it; whatever is found is one line each."""
    done = CliRunner().invoke(command, ["--json", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    entries = json.loads(done.stdout)
    for entry in entries:
        assert all(entry.values()), entry
        assert "\n" not in entry["note"], entry
    return Doctored(entries, done.exit_code)


def typed(words: list[str], folder: Path, *more: str, files: Iterable[Path] = ()) -> str:
    """Run a command that a diagnosis ended with, its output under `folder`, and return its stdout.

    files  for MODEL and SOURCE, in their order
    """
    given = iter(map(str, files))
    assert words[0] == "smoothcert"
    words = [next(given) if word in ("MODEL", "SOURCE") else word for word in words[1:]]
    words = [str(folder / word) if word in ("out.tsv", "model.onnx") else word for word in words]
    done = CliRunner().invoke(smoothcert, [*words, *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout
