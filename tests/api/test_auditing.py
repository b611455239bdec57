"""audit from Python: the model is found, and must be the log's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest, write_manifest


@pytest.fixture
def log(model: Path, source: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out.tsv"
    smoothcert.certify(model, source, out, sigma=0.5, n0=10, n=200, max=4)
    return out


def test_a_model_that_moved_is_given(log: Path, model: Path, source: Path) -> None:
    assert not smoothcert.audit(log, source, rows=2).findings
    moved = model.rename(model.with_name("moved.onnx"))
    with pytest.raises(InputError, match="does not exist"):
        smoothcert.audit(log, source)
    report = smoothcert.audit(log, source, model=moved)
    assert (report.rows, report.repeated, report.findings) == (4, 4, [])


def test_rows_are_chosen_anew_each_time_and_by_a_seed_again(log: Path, source: Path) -> None:
    seeds = [smoothcert.audit(log, source, rows=1).seed for _ in range(2)]
    assert seeds[0] != seeds[1]
    assert smoothcert.audit(log, source, rows=1, seed=7).seed == 7


def test_another_machines_log_is_compared_as_such(log: Path, source: Path) -> None:
    assert smoothcert.audit(log, source).manner == "compared bit for bit"
    report = smoothcert.audit(log, source, another_machine=True)
    assert (report.exact, report.findings) == (False, [])


@pytest.mark.parametrize("path", [7, None, ["x"], ""])
def test_a_model_path_that_is_none_asks_for_one(path: object, log: Path, source: Path) -> None:
    manifest = read_manifest(log)
    manifest["sessions"][-1]["model_path"] = path
    write_manifest(log, manifest)
    with pytest.raises(InputError, match="names no model file: give --model"):
        smoothcert.audit(log, source)


def test_another_model_is_refused(
    log: Path, source: Path, linear_model: Callable[..., Path]
) -> None:
    other = linear_model(np.ones((4, 108)), np.zeros(4), (3, 6, 6), name="other.onnx")
    with pytest.raises(InputError, match="is not the log's: sha256"):
        smoothcert.audit(log, source, model=other)


def test_a_manifest_that_names_no_model_asks_for_one(log: Path, source: Path) -> None:
    write_manifest(log, {**read_manifest(log), "sessions": []})
    with pytest.raises(InputError, match="names no model file: give --model"):
        smoothcert.audit(log, source)


def test_fewer_than_no_rows_are_refused(log: Path, source: Path) -> None:
    with pytest.raises(InputError, match="rows -1 is too small"):
        smoothcert.audit(log, source, rows=-1)
