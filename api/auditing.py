"""`audit` from Python: is this log what its manifest says?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.audit import AuditReport, audit_log
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.statistics.recorded import recorded_procedure
from smoothcert.export.opening import open_model


def audit(
    log: str | Path,
    source: str | Path,
    *,
    rows: int = 20,
    model: str | Path | None = None,
    transfer_to: str | Path | None = None,
    seed: int = 0,
) -> AuditReport:
    """Check a log: every row's radius from its count, and `rows` images certified again.

    model, transfer_to  the model files, where they are not where the run found them
    seed                chooses the images that are certified again
    See audit_log for what is compared. Raises InputError where source, model or manifest are not
    the log's.
    """
    log = Path(log)
    if rows < 0:
        raise InputError(f"rows {rows} is too small: expected at least 0")
    manifest = read_manifest(log)
    run, sessions = manifest["run"], manifest.get("sessions") or [{}]
    procedure = recorded_procedure(run)
    last = sessions[-1]
    opened = _logged_model(log, model or last.get("model_path"), run["model"], "--model")
    reference = None
    if "transfer_to" in run:
        found = transfer_to or last.get("reference_path")
        reference = _logged_model(log, found, run["transfer_to"], "--transfer-to")
    job = Job(
        model=opened,
        law=LatticeGaussian(run["sigma"]),
        procedure=procedure,
        seed=run["seed"],
        compute=Compute(
            backend=run["backend"], device=run["device"], precision=run.get("precision")
        ),
        reference=reference,
    )
    images = open_source(source, opened.spec, opened.num_classes)
    return audit_log(log, images, job.open_backend(), procedure, rows, seed)


def _logged_model(
    log: Path, found: str | Path | None, described: Mapping[str, Any], option: str
) -> Model:
    """The model file at `found`, which must be the one the manifest describes."""
    if not found:
        raise InputError(f"the manifest of {log} names no model file: give {option}")
    opened = open_model(Path(found))
    if opened.sha256 != described["sha256"]:
        raise InputError(
            f"model {found} is not the log's: sha256 {opened.sha256[:16]}... against "
            f"{described['sha256'][:16]}...; give {option}"
        )
    return opened
