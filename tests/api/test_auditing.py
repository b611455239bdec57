"""audit from Python: the model is found, and must be the log's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from foreign_models import certified, classifier, images, node, value

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest, write_manifest


@pytest.fixture
def log(model: Path, source: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out.tsv"
    smoothcert.certify(model, source, out=out, sigma=0.5, n0=10, n=200, max=4).run()
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


def test_a_model_path_that_is_none_asks_for_one(log: Path, source: Path) -> None:
    manifest = read_manifest(log)
    manifest["sessions"][-1]["model_path"] = ""
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
    with pytest.raises(InputError, match="rows -1 is out of range: expected 0 <= rows"):
        smoothcert.audit(log, source, rows=-1)


@pytest.fixture
def adapted_log(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The log of a model that others wrote, the model and its images."""
    path = classifier(
        tmp_path / "foreign.onnx",
        inputs=[value("x", ["N", 8, "w", 3])],
        before=[node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])],
        last="t",
    )
    source, out = images(tmp_path / "colours.npz"), tmp_path / "adapted.tsv"
    certified(path, source, out, input_shape=(3, 8, 8), input_range=(-1.0, 1.0))
    return out, path, source


def test_a_foreign_model_is_adapted_as_the_run_did(
    adapted_log: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From the manifest alone, or the file that the auditor has; on any machine."""
    out, path, source = adapted_log
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "another"))
    assert smoothcert.audit(out, source).findings == []
    moved = path.rename(path.with_name("moved.onnx"))
    assert smoothcert.audit(out, source, model=moved).repeated == 3


def test_other_options_than_the_runs_are_findings(adapted_log: tuple[Path, Path, Path]) -> None:
    out, _, source = adapted_log
    manifest = read_manifest(out)
    manifest["run"]["model"]["adapted"]["options"]["input_range"] = [0.0, 2.0]
    write_manifest(out, manifest)
    assert smoothcert.audit(out, source).findings


@pytest.mark.parametrize(
    ("adapted", "words"),
    [
        ([], "expected an object; was it edited"),
        ({"options": "none"}, "expected an object of model options"),
        ({"options": {"colour": 1}}, "expected an object of model options"),
        ({"options": {"mean": ["0.5"]}}, "another mean than it can be"),
        ({"options": {"mean": [10**400]}}, r"has run\.model\.adapted\.options\.mean\[0\] a whole"),
        ({"options": {"threshold": 0.5, "input_shape": [3, 8, 8]}}, "--threshold is of a single"),
    ],
)
def test_hostile_options_end_in_one_line(
    adapted: object, words: str, adapted_log: tuple[Path, Path, Path]
) -> None:
    out, _, source = adapted_log
    manifest = read_manifest(out)
    manifest["run"]["model"]["adapted"] = adapted
    write_manifest(out, manifest)
    with pytest.raises(InputError, match=words) as caught:
        smoothcert.audit(out, source)
    assert "\n" not in str(caught.value)


def test_a_resumed_run_is_of_the_same_options(adapted_log: tuple[Path, Path, Path]) -> None:
    out, path, source = adapted_log
    before = out.read_bytes()
    rows = certified(path, source, out, input_shape=(3, 8, 8), input_range=(-1.0, 1.0))
    assert (len(rows), out.read_bytes()) == (3, before)
    with pytest.raises(InputError, match=r"adapted\.options\.input_range"):
        certified(path, source, out, input_shape=(3, 8, 8), input_range=(0.0, 2.0))
