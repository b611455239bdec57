"""Joining the logs of shards into the log one process would have written."""

from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.log.manifest import (
    differences,
    read_manifest,
    row_independence,
    write_manifest,
)
from smoothcert.engine.log.rows import check_labels, columns_of, header_of, read_rows
from smoothcert.engine.sources.selection import Selection


def merge_shards(out: Path, shards: list[Path]) -> int:
    """Write the union of complete shard logs to `out`, with a manifest; returns its row count.

    The shards must be all k of one run: manifests that agree in everything but the shard, each
    shard once, each complete, no row missing or twice. Raises InputError otherwise, and where
    `out` exists already; nothing is then written.
    """
    if not shards:
        raise InputError("no shard was given: expected the logs of all shards")
    if out.exists():
        raise InputError(f"{out} exists already: expected a new file; remove it or choose another")
    manifests = [read_manifest(path) for path in shards]
    first = _without_shard(manifests[0]["run"])
    seen: dict[int, Path] = {}
    for path, manifest in zip(shards, manifests, strict=True):
        found = differences(first, _without_shard(manifest["run"]))
        if found:
            raise InputError(
                f"{path} is of another run than {shards[0]}: "
                f"{'; '.join(found).replace('(log)', '(first)').replace('(asked)', '(this)')}"
            )
        shard = manifest["run"]["selection"]["shard"]
        if shard in seen:
            raise InputError(f"{path} and {seen[shard]} are both shard {shard}: expected each once")
        seen[shard] = path
        if failed := manifest.get("failed"):
            raise InputError(
                f"{path} lacks {len(failed)} images that could not be certified (image "
                f"{failed[0]['idx']}: {failed[0]['reason']}): expected a row for each; repair them "
                "and run that shard again"
            )
        if manifest.get("status") != "complete":
            raise InputError(f"{path} is not complete: expected a finished run; resume it first")
    selection = manifests[0]["run"]["selection"]
    missing = sorted(set(range(selection["shards"])) - set(seen))
    if missing:
        raise InputError(
            f"shards {', '.join(map(str, missing))} of {selection['shards']} are missing: "
            "expected the logs of all shards"
        )
    rows: dict[int, str] = {}
    for path, manifest in zip(shards, manifests, strict=True):
        rows |= _checked_rows(path, manifest)
    sessions: list[dict[str, Any]] = [
        session for manifest in manifests for session in manifest["sessions"]
    ]
    merged: dict[str, Any] = {
        "run": {**first, "selection": {**selection, "shard": 0, "shards": 1}},
        "status": "complete",
        "sessions": sessions,
        "images": len(rows),
    }
    if known := row_independence(first, sessions):
        merged["row_independence"] = known
    write_manifest(out, merged)
    text = header_of(columns_of(first)) + "".join(rows[i] for i in sorted(rows))
    write_atomically(out, text.encode())
    return len(rows)


def _without_shard(run: dict[str, Any]) -> dict[str, Any]:
    selection = {k: v for k, v in run["selection"].items() if k != "shard"}
    return {**run, "selection": selection}


def _checked_rows(path: Path, manifest: dict[str, Any]) -> dict[int, str]:
    """The rows of a shard, which must be exactly those its selection names."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): expected a log") from None
    rows = read_rows(path, text, columns_of(manifest["run"]))
    check_labels(path, rows, columns_of(manifest["run"]), manifest["run"])
    selection = Selection.of_description(manifest["run"]["selection"])
    expected = selection.indices(manifest["run"]["source"]["images"])
    inside = sum(index in expected for index in rows)
    if number := len(expected) - inside:
        lost = next(index for index in expected if index not in rows)
        raise InputError(f"{path} lacks image {lost} ({number} in all): resume that shard")
    if inside < len(rows):
        extra = min(index for index in rows if index not in expected)
        raise InputError(f"{path} has image {extra}, which is not of its shard: was it edited?")
    return rows
