"""The command line in this process, with all that it and the libraries beneath it print."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from smoothcert.cli.main import main


@dataclass(frozen=True)
class Done:
    """How a command ended, and its whole output, that of C++ libraries included."""

    status: int
    out: str
    err: str

    def works(self, *words: str) -> None:
        """It has done its work, and said these words on stdout."""
        assert self.status == 0, f"exit {self.status}: {self.err}"
        for word in words:
            assert word in self.out, f"{word!r} is not in {self.out!r}"

    def refused(self, *words: str) -> None:
        """It ended with 2 and one line of ours on stderr that holds these words."""
        assert self.status == 2, f"exit {self.status}: {self.out} {self.err}"
        lines = self.err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("smoothcert: ")
        assert ".cc:" not in lines[0]
        for word in words:
            assert word in lines[0], f"{word!r} is not in {lines[0]!r}"


@contextmanager
def _descriptor_into(number: int, file: BinaryIO) -> Any:
    kept = os.dup(number)
    os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)


@contextmanager
def _python_into(name: str, descriptor: int) -> Any:
    kept = getattr(sys, name)
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as stream:
        setattr(sys, name, stream)
        try:
            yield
        finally:
            stream.flush()
            setattr(sys, name, kept)


def smoothcert(*arguments: object) -> Done:
    """`smoothcert ARGUMENTS...`, in the folder where the caller is."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with (
            _descriptor_into(1, out),
            _descriptor_into(2, err),
            _python_into("stdout", 1),
            _python_into("stderr", 2),
        ):
            handler = signal.getsignal(signal.SIGTERM)
            try:
                main(list(map(str, arguments)))
            except SystemExit as done:
                status = done.code
            finally:
                signal.signal(signal.SIGTERM, handler)  # a run takes it, and ends with its process
        assert isinstance(status, int)
        out.seek(0)
        err.seek(0)
        return Done(status, out.read().decode(), err.read().decode())


Case = Callable[[Path], None]
"""Writes its files into a folder, runs commands on them, and asserts what they gave."""


class Table:
    """The cases of one kind of file, by name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.cases: dict[str, Case] = {}

    def row(self, name: str) -> Callable[[Case], Case]:
        """A decorator: this function is the row of that name."""

        def add(case: Case) -> Case:
            assert name not in self.cases
            self.cases[name] = case
            return case

        return add
