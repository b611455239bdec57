"""The manifest: `OUT.tsv.json` beside a log, which says what the log certifies."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically

if TYPE_CHECKING:  # scipy behind it takes longer than reading a manifest
    from smoothcert.engine.statistics.procedures import Procedure


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
    if not (log.is_file() and log.stat().st_size and manifest_path(log).exists()):
        return None
    value = read_manifest(log)["run"].get(name)
    return None if value is None else str(value)


def differences(logged: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two run descriptions differ: 'sigma 0.25 (log) against 0.5 (asked)'."""
    found = []
    for key in sorted({*logged, *asked}):
        old, new = logged.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} {old} (log) against {new} (asked)")
    return found
