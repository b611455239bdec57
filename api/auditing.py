"""`audit` from Python: is this log what its manifest says?"""

from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import printable, shown
from smoothcert.engine.models.model import Model
from smoothcert.engine.run.audit import AuditReport, audit_log
from smoothcert.engine.run.audit_manifest import LoggedRun
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.selecting.index_file import IndexFile
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.opening import open_model
from smoothcert.numbers import numbers_of


def audit(
    log: str | Path,
    source: Any,
    *,
    rows: int = 20,
    model: str | Path | None = None,
    transfer_to: str | Path | None = None,
    indices: str | Path | None = None,
    seed: int | None = None,
    another_machine: bool = False,
    labels: Path | None = None,
    classes: Path | None = None,
    arrays: tuple[str, ...] | None = None,
    columns: tuple[str, ...] | None = None,
    unlabelled: bool = False,
) -> AuditReport:
    """Check a log: everything that it and its manifest claim is recomputed from the model file and
    the source, the pixels of every row are compared, and `rows` images are certified again.

    source              see open_source; of a log of a program's own data, the same data
    model, transfer_to  the model files, where they are not where the run found them
    indices             the file of --indices, of a run that had one; without it the manifest's
                        word is taken for what it lists, and AuditReport.remarks says so
    seed                repeats an audit: it chooses the images that are certified again (fresh
                        randomness: a forger must not know them beforehand)
    another_machine     the log was made on another processor or runtime: its counts may differ by
                        a stated tolerance, and its decisions must follow from such counts
    labels ... unlabelled   see SourceOptions; what is not given is as the manifest has it, but for
                        the lists of labels and of classes
    See audit_log for what is compared, and AuditReport.escape for what may be missed. Raises
    InputError where source, model or manifest are not the log's.
    """
    numbers = numbers_of(rows=rows, seed=seed)
    listed = None if indices is None else IndexFile.read(Path(indices))
    logged = LoggedRun.read(Path(log))
    opened = _logged_model(logged, model, "model", "model_path", "--model")
    reference = None
    if "transfer_to" in logged.run:
        reference = _logged_model(
            logged, transfer_to, "transfer_to", "reference_path", "--transfer-to"
        )
    said = SourceOptions(labels, classes, arrays, columns, unlabelled).of_log(logged.run["source"])
    images = open_source(source, opened.spec, opened.num_classes, said)
    return audit_log(
        logged,
        opened,
        images,
        reference=reference,
        indices=listed,
        **numbers,
        another_machine=another_machine,
    )


def _logged_model(
    logged: LoggedRun, given: str | Path | None, entry: str, path: str, option: str
) -> Model:
    """The model file that was given, or else the one the run found, which must be the one that the
    manifest's `entry` describes."""
    found = given or logged.path(path)
    if not found:
        raise InputError(
            f"the manifest of {printable(logged.log)} names no model file: give {option}"
        )
    opened = open_model(Path(found), _logged_options(logged, entry))
    sha256 = logged.run[entry]["sha256"]
    if opened.given_sha256 != sha256:
        raise InputError(
            f"model {printable(found)} is not the log's: sha256 {opened.given_sha256[:16]}... "
            f"against {shown(sha256)[1:17]}...; give {option}"
        )
    return opened


def _logged_options(logged: LoggedRun, entry: str) -> ModelOptions:
    """What the run was told of the model of the manifest's `entry`; raises InputError where that is
    of another form."""
    where = f"the options of {entry} in the manifest of {printable(logged.log)}"
    adapted = logged.run[entry].get("adapted", {})
    return ModelOptions.recorded(adapted.get("options", {}), where)
