"""Before the first of several logs is written: those that are there must be this command's."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import ROW_INDEPENDENCE
from smoothcert.engine.log.begun import begun_manifest
from smoothcert.engine.log.manifest import manifest_path, read_manifest
from smoothcert.engine.run.certification import described_run
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.selection import Selection


def check_begun(
    job: Job,
    source: ImageSource,
    selection: Selection,
    log: Path,
    notes: Mapping[str, Any] | None,
) -> None:
    """Raise InputError where the log was begun by another command, before any network runs.

    What only an opened backend knows (its name, the precision, the batch of a model that is bound
    to one) is taken as logged: certify_images compares it, and reads the rows.
    """
    logged = read_manifest(log)["run"] if os.path.lexists(manifest_path(log)) else {}
    backend = {"runtime": logged.get("backend"), "precision": logged.get("precision")}
    if "batch" in logged:
        backend[ROW_INDEPENDENCE] = {"batch": logged["batch"]}
    run = described_run(job, {"backend": backend}, source, selection, notes)
    whole = log.exists() and log.stat().st_size > 0
    begun_manifest(log, json.loads(json.dumps(run)), whole=whole)
