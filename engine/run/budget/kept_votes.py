"""`OUT.tsv.votes` beside a log: the votes of images that a budget left undecided.

It spares a further budget the samples that they have had. It is no evidence: without it they are
drawn again, to the same votes, and an audit draws them again in any case.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, RunStoppedError, system_line
from smoothcert.engine.base.files import sweep, write_atomically
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.table_state import TableState

MOST_BYTES = 2**28


class KeptVotes:
    """The file beside the log of one run.

    log  OUT.tsv
    run  the manifest's `run`: votes of another one are not gone on with
    """

    def __init__(self, log: Path, run: Mapping[str, Any]) -> None:
        self.path = log.with_name(log.name + ".votes")
        self._run = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()

    def read(
        self, procedure: TableCertify, source: ImageSource, indices: set[int], classes: int
    ) -> dict[int, TableState]:
        """The tables of those of `indices` that were begun, by image; none where there is no file.

        Raises InputError, in one line, for a file that is damaged or of another run.
        """
        if not os.path.lexists(self.path):
            return {}
        content = read_regular(self.path, "the votes of undecided images", most=MOST_BYTES)
        found: dict[int, TableState] = {}
        try:
            entries = json.loads(content)
            if entries["run"] != self._run:
                raise ValueError("it is of another run")
            for text, parts in entries["images"].items():
                if (index := int(text)) in indices:
                    state = procedure.state(source.label(index))
                    state.resume(parts, classes)
                    found[index] = state
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError,
                OverflowError) as error:  # fmt: skip
            raise InputError(
                f"{printable(self.path)} does not hold the votes of this run's undecided images "
                f"({printable(error)}): remove it, and they are drawn again"
            ) from None
        return found

    def sweep(self) -> None:
        """Remove what a killed writer left; expects to be the only one, as who has the log is."""
        sweep(self.path)

    def write(self, tables: Mapping[int, TableState]) -> None:
        """Keep the votes of these images, and of no others; without any, remove the file. Raises
        RunStoppedError where the system cannot write."""
        images = {str(index): state.parts() for index, state in sorted(tables.items())}
        text = json.dumps({"run": self._run, "images": images}, separators=(",", ":"))
        try:
            if images:
                write_atomically(self.path, text.encode() + b"\n")
            else:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise RunStoppedError(system_line(error)) from None
