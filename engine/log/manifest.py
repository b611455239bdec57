"""The manifest: `OUT.tsv.json` beside a log, which says what the log certifies."""

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically

if TYPE_CHECKING:  # scipy behind it takes longer than reading a manifest
    from smoothcert.engine.statistics.procedures import Procedure

_Recorded = TypeVar("_Recorded")


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
    """The JSON object beside a log, of whoever wrote it; None where there is none.

    Raises InputError where it is damaged.
    """
    path = manifest_path(log)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a manifest ({error}): expected JSON") from None
    if not isinstance(manifest, dict):
        raise InputError(f"{path} is no manifest: expected a JSON object")
    return manifest


def read_manifest(log: Path) -> dict[str, Any]:
    """The manifest of a log; raises InputError where it is missing or damaged."""
    path, manifest = manifest_path(log), read_json(log)
    if manifest is None:
        raise InputError(f"{path} does not exist: expected the manifest of {log}")
    if not isinstance(manifest.get("run"), dict):
        raise InputError(f"{path} is no manifest of a run: expected a JSON object with `run`")
    return manifest


def write_manifest(log: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a log, whole or not at all."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    write_atomically(manifest_path(log), text.encode())


def recorded(log: Path, name: str) -> str | None:
    """`backend` or `precision` that a log was started with; None where there is none to resume."""
    value = (_to_resume(log) or {}).get(name)
    return None if value is None else str(value)


def recorded_seed(log: Path) -> int | None:
    """The seed that a log was started with; None where there is none to resume.

    Raises InputError where its manifest is damaged or says none.
    """
    return _recorded_as(log, "seed", int, "an integer")


def recorded_selection(log: Path) -> dict[str, Any] | None:
    """The description of the selection that a log was started with; None where there is none to
    resume. Raises InputError where its manifest is damaged or says none."""
    return _recorded_as(log, "selection", dict, "an object")


def _recorded_as(log: Path, name: str, kind: type[_Recorded], expected: str) -> _Recorded | None:
    """An entry of the run that a log was begun with, which must be there and of that kind."""
    run = _to_resume(log)
    if run is None:
        return None
    value = run.get(name)
    if not isinstance(value, kind):
        raise InputError(
            f"{manifest_path(log)} records the {name} {value!r:.40}: expected {expected}; choose "
            "another output"
        )
    return value


def _to_resume(log: Path) -> dict[str, Any] | None:
    """`run` of the manifest of a log that was begun; None where there is none."""
    if not (log.is_file() and log.stat().st_size and manifest_path(log).exists()):
        return None
    run: dict[str, Any] = read_manifest(log)["run"]
    return run


def row_independence(
    run: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]
) -> dict[str, str] | None:
    """How it is known of each model file that a row's vote depends on its row alone, by the file's
    name: `proven` of its graph in every session, or else `probed`. None where no session says."""
    found: dict[str, str] = {}
    for session in sessions:
        backend = session.get("backend") or {}
        for model, opened in (
            (run.get("model"), backend),
            (run.get("transfer_to"), backend.get("reference") or {}),
        ):
            said = opened.get("row_independence")
            if not (isinstance(said, dict) and isinstance(model, dict)):
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
        backend = described.get("backend") or {}
        return {name: described.get(name) for name in _CIRCUMSTANCES} | {
            name: backend.get(name) for name in _OF_A_BACKEND if name in backend
        }

    now = circumstances(session)
    if not earlier or any(circumstances(each) == now for each in earlier):
        return []
    return differences(circumstances(earlier[-1]), now)


def differences(logged: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two run descriptions differ: 'sigma 0.25 (log) against 0.5 (asked)'."""
    found = []
    for key in sorted({*logged, *asked}):
        old, new = logged.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            old, new = _from_where_they_differ(old, new)
            found.append(f"{prefix}{key} {old} (log) against {new} (asked)")
    return found


_LONGEST = 120


def _from_where_they_differ(*texts: Any) -> tuple[Any, ...]:
    """Long lists of images, of which a person is shown the part that differs."""
    if not any(isinstance(text, str) and len(text) > _LONGEST for text in texts):
        return texts
    same = 0
    if all(isinstance(text, str) for text in texts):
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    start = max(0, same - 20)
    return tuple(
        f"{'...' if start else ''}{text[start : start + 40]}..." if isinstance(text, str) else text
        for text in texts
    )
