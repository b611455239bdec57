"""What a log of certificates or predictions is, and what to type next."""

import json
import re
from pathlib import Path
from typing import Any

from smoothcert.analysis.log import Log, read_log
from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.entry import Diagnosis, Entry, inferred, refused
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path

_KINDS = {
    "certify": "certificates of a fixed number of samples",
    "table": "certificates at given radii",
    "radius": "certificates, as many samples as the radius is worth",
    "predict": "predictions",
}


def diagnose_log(given: str) -> Diagnosis:
    """What is in a log, or in the one that a manifest is of."""
    path = Path(given)
    if path.suffix == ".json":
        path = path.with_suffix("")
        if not path.exists():
            error = InputError(
                f"{given} is the manifest of {path}, which is not beside it: expected both; copy "
                "the log too"
            )
            return Diagnosis((Entry("log", "a manifest", given), refused(error)), False)
    try:
        log = read_log(path)
        _ = log.sigma  # which every table needs
    except InputError as error:
        return _refused(path, error)
    return Diagnosis((*_about(path, log), *_next(path, log)), True)


def _refused(path: Path, error: InputError) -> Diagnosis:
    """A log that is not read as it is; by the columns that the refusal names, perhaps."""
    found = [Entry("log", "not read", str(path)), refused(error)]
    named = re.search(r"--columns ([\w,-]+)", str(error))
    if named is None:
        return Diagnosis(tuple(found), False)
    try:
        log = read_log(path, named[1].split(","))
    except InputError:
        return Diagnosis(tuple(found), False)
    option = Entry("option", f"--columns {named[1]}", f"with it: {len(log)} rows")
    return Diagnosis(
        (*found, option, commands.analyze(str(path), options={"columns": named[1]})), True
    )


def _about(path: Path, log: Log) -> list[Entry]:
    procedure = str(log.run.get("procedure", ""))
    kind = _KINDS.get(procedure) or ("certificates" if log.has_radii else "predictions")
    right = f"{int(log.correct.sum())} correct" if log.labelled else "no labels"
    right += f", {int(log.abstained.sum())} abstained"
    found = [
        Entry("log", kind, str(path)),
        Entry("rows", str(len(log)), right),
        Entry(
            "finished", "yes" if log.complete else "no",
            "as its manifest says" if log.manifest is not None else "its last line is whole"
            if log.complete else "it ends within a line",
        ),
    ]  # fmt: skip
    found += inferred(log.said)
    if log.manifest is None:
        note = f"no {manifest_path(path).name} beside it: what was certified is not recorded"
        found.append(Entry("manifest", "none", note))
        return found
    settings = ("sigma", "alpha", "n", "n0", "seed", "device", "backend", "precision")
    said = [f"{name} {log.run[name]}" for name in settings if name in log.run]
    found.append(Entry("settings", procedure or "not said", ", ".join(said)))
    for part in ("model", "source", "selection"):
        if log.run.get(part):
            found.append(_recorded(part, log.run[part]))
    return found


def _recorded(part: str, described: Any) -> Entry:
    """A model or source as the manifest has it."""
    if not isinstance(described, dict):
        return Entry(part, "recorded", str(described))
    rest = {k: v for k, v in described.items() if k != "name" and v not in (None, [], {})}
    short = {k: v[:16] if k in ("sha256", "digest") else v for k, v in rest.items()}
    text = ", ".join(f"{k} {json.dumps(v)}" for k, v in short.items())
    return Entry(part, str(described.get("name", "recorded")), text.replace('"', ""))


def _next(path: Path, log: Log) -> list[Entry]:
    found = []
    if not log.complete and log.manifest is not None:
        note = (
            "the command that began it, with the same files and options, goes on where it stopped"
        )
        found.append(Entry("resume", "hint", note))
    found.append(commands.analyze(str(path)))
    if log.manifest is not None and log.complete:
        found.append(commands.audit(str(path)))
    return found
