"""The manifest: `OUT.tsv.json` beside a log, which says what the log certifies."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError


def manifest_path(log: Path) -> Path:
    """OUT.tsv.json beside OUT.tsv."""
    return log.with_name(log.name + ".json")


def read_manifest(log: Path) -> dict[str, Any]:
    """The manifest of a log; raises InputError where it is missing or damaged."""
    path = manifest_path(log)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: expected the manifest of {log}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a manifest ({error}): expected JSON") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("run"), dict):
        raise InputError(f"{path} is no manifest of a run: expected a JSON object with `run`")
    return manifest


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
