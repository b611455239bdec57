"""A log that was begun: whether a run is the one that may go on with it, by its manifest."""

import os
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import differences, manifest_path, read_manifest


def begun_manifest(log: Path, run: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """The manifest of a log that is there already, which must be this run's; empty where there is
    none.

    run    the description of the run (describe_run), as JSON gives it back
    whole  the manifest lies beside a log, not alone, as a run leaves it that is killed at its start
    Raises InputError where the log is another run's, naming the difference, or not all there.
    """
    path = manifest_path(log)
    if not os.path.lexists(path):
        if whole:
            raise InputError(
                f"{log} exists and has no manifest beside it: expected a new file or a log of this "
                "command; choose another output"
            )
        return {}
    manifest = read_manifest(log)
    if found := differences(manifest["run"], run):
        what, instead = (
            (log, "the same options to resume")
            if whole
            else (path, f"remove it where its log {log} is not to come back")
        )
        raise InputError(
            f"{what} was made by a different command: {'; '.join(found)}; choose another output, "
            f"or {instead}"
        )
    if not whole and manifest.get("status") != "running":
        raise InputError(
            f"{path} is of a finished run, and its log {log} is gone: expected both or none of "
            "them; bring it back, remove the manifest too, or choose another output"
        )
    return manifest
