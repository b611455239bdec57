"""An audit confirms honest logs of every mode and finds edited digits."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.machine import describe_machine
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.log.rows import COLUMNS
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.audit import AuditReport, audit_log
from smoothcert.engine.run.certification import certify_images
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.recorded import recorded_procedure
from smoothcert.options import CertifyOptions

LAW = LatticeGaussian(0.5)
MODES = {
    "fixed": CertifyOptions(0.5, n0=20, n=300),
    "table": CertifyOptions(0.5, n=2000, radii=(0.0, 0.25, 0.5)),
    "label-aware": CertifyOptions(0.5, n=2000, radii=(0.0, 0.5), label_aware=True),
    "radius": CertifyOptions(0.5, n=2000, tolerance=0.05),
}


def certify(model: Path, source: Path, out: Path, options: CertifyOptions) -> None:
    opened = open_onnx(model)
    images = open_source(source, opened.spec, opened.num_classes)
    procedure = options.procedure(LAW.total_variation(opened.spec.num_pixels))
    job = Job(model=opened, law=LAW, procedure=procedure, compute=Compute(batch=32))
    certify_images(job, images, Selection(), out)


def audit(model: Path, source: Path, out: Path, rows: int = 12, other: bool = False) -> AuditReport:
    opened = open_onnx(model)
    backend = open_backend(opened, LAW, 0, Compute(batch=50))
    session = {**describe_machine(), "backend": backend.describe()}
    if other:
        session["processor"] = "abacus"
    return audit_log(
        out,
        open_source(source, opened.spec, opened.num_classes),
        backend,
        recorded_procedure(read_manifest(out)["run"]),
        rows,
        0,
        session,
    )


@pytest.mark.parametrize("mode", MODES)
def test_honest_logs_pass_bit_for_bit(mode: str, model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES[mode])
    report = audit(model, source, out)
    assert report == AuditReport(12, 12, True, [])


def edit(out: Path, row: int, column: str, change: Callable[[str], str]) -> None:
    lines = [line.split("\t") for line in out.read_text().splitlines()]
    place = COLUMNS.index(column)
    lines[row][place] = change(lines[row][place])
    out.write_text("".join("\t".join(line) + "\n" for line in lines))


def certified_row(out: Path) -> int:
    rows = [line.split("\t") for line in out.read_text().splitlines()]
    return next(i for i, row in enumerate(rows[1:], 1) if row[2] != "-1" and row[3] > "0.1")


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("label", lambda v: str((int(v) + 1) % 4)),
        ("predict", lambda v: str((int(v) + 1) % 4)),
        ("predict", lambda v: "-1"),
        ("radius", lambda v: f"{float(v) + 1e-6:.6f}"),
        ("radius", lambda v: f"{float(v) - 1e-6:.6f}"),
        ("correct", lambda v: str(1 - int(v))),
        ("count", lambda v: str(int(v) - 1)),
        ("n", lambda v: str(int(v) - 1)),
        ("n0", lambda v: str(int(v) + 1)),
        ("drawn", lambda v: str(int(v) + 1)),
        ("covers", lambda v: str(int(v) + 1)),
    ],
)
@pytest.mark.parametrize("mode", ["fixed", "table"])
def test_an_edited_digit_is_found(
    mode: str,
    column: str,
    change: Callable[[str], str],
    model: Path,
    source: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES[mode])
    edit(out, certified_row(out), column, change)
    assert audit(model, source, out).findings


def test_arithmetic_alone_finds_a_raised_radius(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["fixed"])
    edit(out, certified_row(out), "radius", lambda v: f"{float(v) + 0.1:.6f}")
    report = audit(model, source, out, rows=0)
    assert report.repeated == 0
    assert any("radius" in finding for finding in report.findings)


def test_a_removed_row_is_found(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["fixed"])
    out.write_text("".join(out.read_text().splitlines(keepends=True)[:-1]))
    assert "1 selected images have no row" in audit(model, source, out).findings[0]


def test_another_machine_allows_a_stated_difference(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["fixed"])
    report = audit(model, source, out, other=True)
    assert (report.exact, report.findings) == (False, [])


def test_a_tuned_log_compares_as_another_machines(
    model: Path, source: Path, tmp_path: Path
) -> None:
    """Kernels that were chosen by measurement may be others in the next process."""
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["fixed"])
    manifest = json.loads(Path(f"{out}.json").read_text())
    manifest["sessions"][0]["backend"]["tuned"] = True
    Path(f"{out}.json").write_text(json.dumps(manifest))
    report = audit(model, source, out)
    assert (report.exact, report.findings) == (False, [])


def test_another_source_is_refused(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["fixed"])
    np.savez(source, images=np.zeros((12, 6, 6, 3), np.uint8), labels=np.arange(12) % 4)
    with pytest.raises(InputError, match="not the log's"):
        audit(model, source, out)
