"""A manifest under audit: what is read from it, what is recomputed, and where the two differ."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.wording import printable, shown
from smoothcert.engine.log.manifest import FINISHED, manifest_path, read_manifest, row_independence
from smoothcert.engine.log.manifest_reading import check_required
from smoothcert.engine.log.manifest_schema import Purpose
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.objects import KINDS
from smoothcert.engine.sources.selection import Selection

_OF_FILES = (
    "model.name",
    "transfer_to.name",
    "source.name",
    "source.read_as.labels.name",
    "source.read_as.classes.name",
)
"""Files may be renamed: what they hold is compared."""


@dataclass(frozen=True)
class LoggedRun:
    """A manifest under audit: its entries are of their types and in their ranges, true or not.

    run, sessions  its entries of these names
    """

    log: Path
    manifest: Mapping[str, Any]
    run: Mapping[str, Any]
    sessions: list[Mapping[str, Any]]
    selection: Selection

    @classmethod
    def read(cls, log: Path) -> "LoggedRun":
        """The manifest of a log; raises InputError, in one line, where no audit can start from
        it."""
        manifest, path = read_manifest(log, Purpose.AUDIT), manifest_path(log)
        run = manifest["run"]
        if "transfer_to" in run:
            check_required(manifest, path, ("run.transfer_to.sha256",), Purpose.AUDIT.value)
        try:
            selection = Selection.of_description(run["selection"])
        except InputError as error:
            raise InputError(f"{path} has a selection that is none ({error})") from None
        return cls(log, manifest, run, manifest["sessions"], selection)

    def path(self, name: str) -> str | None:
        """Where the last session found a model file: `model_path` or `reference_path`."""
        return self.sessions[-1].get(name) if self.sessions else None

    @property
    def tuned(self) -> bool:
        """Whether kernels were chosen by measurement, which may choose others next time."""
        return any(session.get("backend", {}).get("tuned") for session in self.sessions)

    @property
    def one_row(self) -> bool:
        """Whether the model is one function of a row at a batch of one alone."""
        opened = [session.get("backend", {}) for session in self.sessions]
        return any(each.get("row_independence", {}).get("batch") == 1 for each in opened)

    @property
    def notes(self) -> dict[str, Any]:
        """Further entries of a run that nothing here implies."""
        return {name: self.run[name] for name in ("family_wise",) if name in self.run}

    def check_source(self, source: ImageSource) -> None:
        """Raise InputError for another source than the log's, and one without its images."""
        described, entry = source.describe(), self.run["source"]
        if entry.get("kind") in KINDS and described["kind"] not in KINDS:
            raise InputError(
                f"the log's images are an object of a program ({shown(entry.get('name'))}, "
                f"{shown(entry['kind'])}) and no file: audit it from Python, by smoothcert.audit("
                "log, data)"
            )
        digest, logged = described["digest"], entry.get("digest")
        if digest != logged:
            raise InputError(
                f"the source is not the log's: digest {digest[:16]}... against "
                f"{shown(logged)[:18]}... in the manifest"
            )
        self.selection.indices(len(source))

    def against(
        self, recomputed: Mapping[str, Any], sessions: list[Mapping[str, Any]]
    ) -> list[str]:
        """Where the manifest differs from the run and the sessions of the auditor himself."""
        # What JSON makes of it is what a manifest can say.
        recomputed = json.loads(json.dumps(recomputed))
        found = [words for name, words in _differing(self.run, recomputed) if name not in _OF_FILES]
        said, known = self.manifest.get("row_independence"), row_independence(self.run, sessions)
        if not _as_known(said, known):
            found.append(f"row_independence {shown(said)} where {shown(known)} is found here")
        return [f"manifest: {words}" for words in found]

    def incomplete(self, selection: Selection, images: int, present: Iterable[int]) -> list[str]:
        """What is wrong with status and rows, of a source of so many images: everything but a
        complete log of all the images that `selection`, which is recomputed, selects."""
        expected, found = set(selection.indices(images)), set(present)
        status = self.manifest.get("status")
        findings = []
        if status == "partial":
            findings.append(f"the log is partial: {self._failures()}")
        elif status not in FINISHED:
            findings.append(
                f"the log is not complete (status {shown(status)}): {len(expected & found)} of "
                f"{len(expected)} selected images have a row; resume it with its own command"
            )
        if expected != found:
            findings.append(
                f"{len(expected - found)} selected images have no row, and {len(found - expected)} "
                "rows are of images that were not selected"
            )
        if status in (*FINISHED, "partial") and self.manifest.get("images") != len(expected):
            findings.append(
                f"manifest: images {shown(self.manifest.get('images'))} where {len(expected)} are "
                "selected"
            )
        if not self.sessions:
            findings.append("manifest: sessions are none, of which there is one")
        family, together = self.run.get("family_wise"), selection.whole.indices(images)
        if family is not None and len(together) > family:
            findings.append(
                f"manifest: family_wise {family} where {len(together)} images share alpha"
            )
        return findings

    def _failures(self) -> str:
        failed = self.manifest.get("failed")
        if not failed:
            return "failed names no image"
        first = failed[0]
        return (
            f"{len(failed)} images could not be certified (image {first['idx']}: "
            f"{printable(one_line(first['reason']))}); repair them and run its command again"
        )


def _as_known(said: Mapping[str, str] | None, known: Mapping[str, str] | None) -> bool:
    """Whether a manifest claims no more than is found here; another backend may prove less."""
    if said is None or known is None:
        return said is None and known is None
    return said.keys() == known.keys() and all(
        said[name] in (verdict, "probed") for name, verdict in known.items()
    )


def _differing(logged: Any, recomputed: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Entries that differ, with what to say of them."""
    if isinstance(logged, dict) and isinstance(recomputed, dict):
        for key in {**recomputed, **logged}:
            inner = f"{name}.{key}" if name else key
            yield from _differing(logged.get(key), recomputed.get(key), inner)
    elif logged != recomputed:
        yield name, f"{shown(name)[1:-1]} {shown(logged)} where {shown(recomputed)} is recomputed"
