"""What each procedure's rows promise, in words."""

from pathlib import Path

import pytest
from report_logs import run, write_log

from smoothcert.analysis.report.promise import Promise, promise

ROWS = [(1, 1, 0.5), (2, -1, 0.0)]


def of(folder: Path, **changes: object) -> Promise:
    return promise(write_log(folder / "a.tsv", ROWS, manifest=run(**changes)))


@pytest.mark.parametrize("procedure", ["certify", "table", "radius"])
def test_a_radius_is_promised_at_the_runs_level(tmp_path: Path, procedure: str) -> None:
    found = of(tmp_path, procedure=procedure, alpha=0.05, radii=[0.0, 0.5])
    assert found.holds.startswith("For each row, with probability at least 0.95 (1 - alpha)")
    assert "within the row's radius" in found.holds
    assert "Philox4x32-10" in found.assumes
    assert bool(found.remarks) == (procedure == "table")


def test_predict_promises_no_radius(tmp_path: Path) -> None:
    assert "no radius is promised" in of(tmp_path, procedure="predict").holds


def test_nothing_is_promised_for_what_this_version_does_not_know(tmp_path: Path) -> None:
    found = of(tmp_path, procedure="guess")
    assert "does not know the procedure guess" in found.holds
    assert "probability" not in found.holds + found.assumes


def test_a_log_without_a_manifest_promises_what_its_code_did(tmp_path: Path) -> None:
    found = promise(write_log(tmp_path / "a.tsv", ROWS, original=True))
    assert "not recorded" in found.holds
    assert "rounded up" in found.assumes


def test_family_wise_levels_are_named(tmp_path: Path) -> None:
    (remark,) = of(tmp_path, family_wise=500).remarks
    assert "500 images" in remark
