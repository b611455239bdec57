"""Logs that someone has edited: their rows and manifests, changed in place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.log.rows import COLUMNS
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.audit import AuditReport, audit_log
from smoothcert.engine.run.audit_manifest import LoggedRun
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.selection import Selection
from smoothcert.options import CertifyOptions

LAW = LatticeGaussian(0.5)
MODES = {
    "fixed": CertifyOptions(0.5, n0=20, n=300),
    "table": CertifyOptions(0.5, n=2000, radii=(0.0, 0.25, 0.5)),
    "label-aware": CertifyOptions(0.5, n=2000, radii=(0.0, 0.5), label_aware=True),
    "radius": CertifyOptions(0.5, n=2000, tolerance=0.05),
}
AUDIT_SEED = 5
"""Where the rows that are chosen must not vary."""


def certify_log(
    model: Path, source: Path, out: Path, options: CertifyOptions, reference: Path | None = None
) -> None:
    """An honest log of all images."""
    opened = open_onnx(model)
    images = open_source(source, opened.spec, opened.num_classes)
    job = Job(
        model=opened,
        law=LAW,
        procedure=options.procedure(LAW.total_variation(opened.spec.num_pixels)),
        seed=3,
        compute=Compute(backend="onnxruntime", batch=32),
        reference=None if reference is None else open_onnx(reference),
    )
    Certification(job, images, Selection(), out).run()


def audit(
    model: Path,
    source: Path,
    out: Path,
    rows: int = 12,
    other: bool = False,
    reference: Path | None = None,
) -> AuditReport:
    """Audit a log as another machine's, or as this one's."""
    opened = open_onnx(model)
    return audit_log(
        LoggedRun.read(out),
        opened,
        open_source(source, opened.spec, opened.num_classes),
        reference=None if reference is None else open_onnx(reference),
        rows=rows,
        seed=AUDIT_SEED,
        another_machine=other,
    )


def lines_of(log: Path) -> list[list[str]]:
    """The header and the rows, as fields."""
    return [line.split("\t") for line in log.read_text().splitlines()]


def write_lines(log: Path, lines: list[list[str]]) -> None:
    log.write_text("".join("\t".join(line) + "\n" for line in lines))


def edit(log: Path, row: int, column: str, change: Callable[[str], str]) -> None:
    """Change one field of a row, counted from 1."""
    lines = lines_of(log)
    place = COLUMNS.index(column)
    lines[row][place] = change(lines[row][place])
    write_lines(log, lines)


def put(log: Path, row: int, **fields: object) -> None:
    """Set fields of a row, counted from 1."""
    for column, value in fields.items():
        edit(log, row, column, lambda _, value=value: str(value))  # type: ignore[misc]


def certified_row(log: Path) -> int:
    """A row that names a class with a radius, counted from 1."""
    rows = lines_of(log)
    return next(i for i, row in enumerate(rows[1:], 1) if row[2] != "-1" and row[3] > "0.1")


def edit_manifest(log: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest in place."""
    path = Path(f"{log}.json")
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
