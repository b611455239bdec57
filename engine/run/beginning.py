"""Before a log is written: what a run says of itself in the manifest, and whether the log that is
there is of the same one."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import ROW_INDEPENDENCE, runtime_name
from smoothcert.engine.log.begun import begun_manifest
from smoothcert.engine.log.manifest import describe_run, manifest_path, read_manifest
from smoothcert.engine.noise.lattice import NOISE_LAW
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
    """Raise InputError where the log was begun by another command, before any network runs; see
    as_begun. The rows are not read."""
    run = as_begun(job, source, selection, log, notes)
    whole = log.exists() and log.stat().st_size > 0
    begun_manifest(log, json.loads(json.dumps(run)), whole=whole)


def as_begun(
    job: Job,
    source: ImageSource,
    selection: Selection,
    log: Path,
    notes: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """described_run, before a backend is open: what only that knows (its name, the precision, the
    batch of a model that is bound to one) is taken as logged."""
    logged = read_manifest(log)["run"] if os.path.lexists(manifest_path(log)) else {}
    backend = {"runtime": logged.get("backend"), "precision": logged.get("precision")}
    if "batch" in logged:
        backend[ROW_INDEPENDENCE] = {"batch": logged["batch"]}
    return described_run(job, {"backend": backend}, source, selection, notes)


def described_run(
    job: Job,
    session: Mapping[str, Any],
    source: ImageSource,
    selection: Selection,
    notes: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The manifest's `run` of a job as a session carries it out: see describe_run."""
    backend = session["backend"]
    bound = (backend.get(ROW_INDEPENDENCE) or {}).get("batch")
    return describe_run(
        job.procedure,
        notes={**(notes or {}), **({} if bound is None else {"batch": bound})},
        sigma=job.law.sigma,
        seed=job.seed,
        noise=NOISE_LAW,
        total_variation=job.law.total_variation(job.model.spec.num_pixels),
        model=job.model.describe(),
        backend=runtime_name(backend),
        precision=backend.get("precision", job.model.precision),
        device=job.compute.device,
        source=source.describe(),
        selection=selection.describe(),
        transfer_to=None if job.reference is None else job.reference.describe(),
    )
