"""The manifest: `OUT.tsv.json` beside a log, which says what the log certifies."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.wording import printable

if TYPE_CHECKING:
    from smoothcert.engine.log.manifest_schema import Purpose
    from smoothcert.engine.statistics.procedures import Procedure  # scipy behind it takes longer


FINISHED = ("complete", "undecided")
"""The status of a run that gave every image its row; a budget may have left radii undecided."""


def manifest_path(log: Path) -> Path:
    """OUT.tsv.json beside OUT.tsv."""
    return log.with_name(log.name + ".json")


def describe_run(
    procedure: "Procedure",
    *,
    sigma: float,
    seed: int,
    noise: str,
    total_variation: float,
    model: Mapping[str, Any],
    backend: str,
    precision: str,
    device: str,
    source: Mapping[str, Any],
    selection: Mapping[str, Any],
    notes: Mapping[str, Any] | None = None,
    transfer_to: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What decides every byte of a log but its time column: the manifest's `run`.

    device       of its name only the kind is recorded: a GPU's number decides nothing
    notes        further entries
    transfer_to  the reference model that certificates are transferred to
    """
    run = {
        **procedure.describe(),
        **(notes or {}),
        "sigma": sigma,
        "seed": seed,
        "noise": noise,
        "total_variation": total_variation,
        "model": model,
        "backend": backend,
        "precision": precision,
        "device": device.partition(":")[0],
        "source": source,
        "selection": selection,
    }
    if transfer_to is not None:
        run["transfer_to"] = transfer_to
    return run


def read_json(log: Path) -> dict[str, Any] | None:
    """The manifest beside a log, of whoever wrote it, for an analysis: its entries may be few, and
    are of their types. None where there is none.

    Raises InputError where it is damaged.
    """
    from smoothcert.engine.log.manifest_schema import Purpose

    return _read(log, Purpose.ANALYSIS)


def read_manifest(log: Path, purpose: "Purpose | None" = None) -> dict[str, Any]:
    """The manifest of a log, with the entries that `purpose` needs (None: to resume its run), all
    of the types and in the ranges that manifest_schema.py says.

    Raises InputError, in one line that names the entry, where it is missing or another thing.
    """
    from smoothcert.engine.log.manifest_schema import Purpose

    manifest = _read(log, Purpose.RESUME if purpose is None else purpose)
    if manifest is None:
        raise InputError(
            f"{printable(manifest_path(log))} does not exist: expected the manifest of "
            f"{printable(log)}"
        )
    return manifest


def _read(log: Path, purpose: "Purpose") -> dict[str, Any] | None:
    from smoothcert.engine.log.manifest_reading import read  # msgspec behind it takes a while

    path = manifest_path(log)
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        pass  # which is for `read` to tell
    return read(path, purpose)


def write_manifest(log: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a log, whole or not at all."""
    write_atomically(manifest_path(log), manifest_text(manifest).encode())


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """A manifest as it is written."""
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"


def recorded(log: Path, name: str) -> str | None:
    """`backend` or `precision` that a log was started with; None where there is none to resume."""
    found: str | None = (_to_resume(log) or {}).get(name)
    return found


def recorded_seed(log: Path) -> int | None:
    """The seed that a log was started with; None where there is none to resume.

    Raises InputError where its manifest is damaged or says none.
    """
    seed: int | None = (_to_resume(log, "run.seed") or {}).get("seed")
    return seed


def recorded_selection(log: Path) -> dict[str, Any] | None:
    """The description of the selection that a log was started with; None where there is none to
    resume. Raises InputError where its manifest is damaged or says none."""
    return (_to_resume(log, "run.selection") or {}).get("selection")


def _to_resume(log: Path, *needed: str) -> dict[str, Any] | None:
    """`run` of the manifest of a log that was begun, if only just: the manifest is written first.
    With the entries that are needed; None where there is none."""
    from smoothcert.engine.log.manifest_reading import check_required

    path = manifest_path(log)
    if not path.exists():
        return None
    manifest = read_manifest(log)
    check_required(manifest, path, needed, "a run that is resumed")
    run: dict[str, Any] = manifest["run"]
    return run


def row_independence(
    run: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]
) -> dict[str, str] | None:
    """How it is known of each model file that a row's vote depends on its row alone, by the file's
    name: `proven` of its graph in every session, or else `probed`. None where no session says."""
    found: dict[str, str] = {}
    for session in sessions:
        backend = session.get("backend", {})
        for model, opened in (
            (run.get("model"), backend),
            (run.get("transfer_to"), backend.get("reference", {})),
        ):
            said = opened.get("row_independence")
            if said is None or model is None:
                continue
            name, verdict = str(model.get("name")), str(said.get("verdict"))
            if found.setdefault(name, verdict) != verdict:
                found[name] = "probed"
    return found or None


_CIRCUMSTANCES = ("python", "system", "processor", "packages")
_OF_A_BACKEND = ("runtime", "threads", "batch", "device", "driver", "launches", "tf32", "tuned")


def changed_circumstances(
    earlier: Sequence[Mapping[str, Any]], session: Mapping[str, Any]
) -> list[str]:
    """What of a session's machine, versions, threads and kernels is as in no earlier session of the
    log: none of it decides a certificate, and each may turn a vote by rounding."""

    def circumstances(described: Mapping[str, Any]) -> dict[str, Any]:
        backend = described.get("backend", {})
        return {name: described.get(name) for name in _CIRCUMSTANCES} | {
            name: backend.get(name) for name in _OF_A_BACKEND if name in backend
        }

    now = circumstances(session)
    if not earlier or any(circumstances(each) == now for each in earlier):
        return []
    return differences(circumstances(earlier[-1]), now)


def differences(logged: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two run descriptions differ, some of it where it is much: 'sigma 0.25 (log) against 0.5
    (asked)'. Each is one line, whatever the log says."""
    found = list(islice(_differing(logged, asked, prefix), _MOST + 1))
    return found if len(found) <= _MOST else [*found[:_MOST], "and more"]


_MOST = 20
_LONGEST = 120


def _differing(logged: Mapping[str, Any], asked: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in sorted({*logged, *asked}):
        old, new = logged.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differing(old, new, f"{prefix}{key}.")
        elif old != new:
            old, new = _from_where_they_differ(printable(old), printable(new))
            yield f"{printable(f'{prefix}{key}')[:_LONGEST]} {old} (log) against {new} (asked)"


def _from_where_they_differ(*texts: str) -> tuple[str, ...]:
    """Of long texts (lists of images), the part that differs; the others as they are."""
    if all(len(text) <= _LONGEST for text in texts):
        return texts
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    start = max(0, same - 20)
    return tuple(
        f"{'...' if start else ''}{text[start : start + 40]}{'...' if text[start + 40 :] else ''}"
        for text in texts
    )
