"""What each kind of run's rows promise, in words."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_logs import run, write_log

from smoothcert.analysis.log import Log
from smoothcert.analysis.report.promise import Promise, promise

ROWS = [(1, 1, 0.5), (2, -1, 0.0)]
KINDS = ["certify", "table", "radius"]


def log_of(folder: Path, **changes: object) -> Log:
    return write_log(folder / "a.tsv", ROWS, manifest=run(**changes))


def of(folder: Path, **changes: object) -> Promise:
    return promise(log_of(folder, **changes))


@pytest.mark.parametrize("procedure", KINDS)
def test_a_radius_is_promised_at_the_runs_level(tmp_path: Path, procedure: str) -> None:
    found = of(tmp_path, procedure=procedure, alpha=0.05, radii=[0.0, 0.5])
    assert found.holds.startswith("For each row, with probability at least 0.95 (1 - alpha)")
    assert "class in the column predict for every input within radius of the image" in found.holds
    assert "Philox4x32-10" in found.assumes
    assert bool(found.remarks) == (procedure == "table")


@pytest.mark.parametrize("procedure", KINDS)
def test_of_what_and_around_what_the_radius_is(tmp_path: Path, procedure: str) -> None:
    """Real inputs need the rounding, 8-bit images do not, and neither is about the file."""
    holds = of(tmp_path, procedure=procedure, radii=[0.0]).holds
    assert "this model, as this backend runs it" in holds
    assert "the model composed with rounding to the 8-bit grid" in holds
    assert "covers needs neither a radius nor a rounding" in holds
    assert "sum to at most covers, the class" in holds
    assert "after resize and crop, not the file" in holds


def test_each_procedure_has_its_own_words(tmp_path: Path) -> None:
    fixed, table, radius, predict = (
        of(tmp_path / name, procedure=name, radii=[0.0, 0.5]).holds for name in (*KINDS, "predict")
    )
    assert "one-sided: n fresh samples" in fixed
    assert "the level of the whole row" in table
    assert "of fresh samples alone: the pilot" in radius
    assert "names no other class" in predict
    assert "two-sided" in predict
    for words in ("one-sided", "whole row", "pilot", "two-sided", "reference"):
        assert sum(words in holds for holds in (fixed, table, radius, predict)) <= 2


def test_predict_promises_no_radius(tmp_path: Path) -> None:
    holds = of(tmp_path, procedure="predict").holds
    assert "no radius is promised" in holds
    assert "within" not in holds


def transfer(folder: Path, **changes: object) -> tuple[Log, Log]:
    """A log with a transfer, and the reference's log that `transferred` makes of it."""
    log = log_of(folder)
    own = run(**{"n_zeta": 500, "alpha_zeta": 0.002, **changes})
    reference = {**own, "procedure": "transfer", "alpha": own["alpha"] + own["alpha_zeta"]}
    return replace(log, manifest={"run": own}), replace(log, manifest={"run": reference})


def test_a_transfer_promises_of_the_reference(tmp_path: Path) -> None:
    log, reference = transfer(tmp_path)
    found = promise(reference)
    assert "at least 0.997 (1 - (alpha + alpha_zeta)) over the noise" in found.holds
    assert "the smoothed classifier of the reference model" in found.holds
    assert "class in the column predict_transfer for every input within radius_transfer" in (
        found.holds
    )
    assert "sum to at most covers_transfer" in found.holds
    assert found.remarks == ()
    own = promise(log)
    assert "0.999 (1 - alpha)" in own.holds
    assert "reference" not in own.holds
    (remark,) = own.remarks
    assert "columns *_transfer certify the reference model" in remark
    assert "0.997 (1 - (alpha + alpha_zeta))" in remark


def test_nothing_is_promised_for_what_this_version_does_not_know(tmp_path: Path) -> None:
    found = of(tmp_path, procedure="guess")
    assert "does not know the procedure guess" in found.holds
    assert "probability" not in found.holds + found.assumes


def test_a_log_without_a_manifest_promises_what_its_code_did(tmp_path: Path) -> None:
    found = promise(write_log(tmp_path / "a.tsv", ROWS, original=True))
    assert "not recorded" in found.holds
    assert "rounded up" in found.assumes


def test_family_wise_rows_hold_together(tmp_path: Path) -> None:
    (remark,) = of(tmp_path / "a", family_wise=500, alpha=0.001 / 500).remarks
    assert "with probability at least 0.999 (1 - 500 * alpha), all rows of the 500 images" in remark
    _, reference = transfer(tmp_path / "b", family_wise=10, alpha=1e-4, alpha_zeta=2e-4)
    (remark,) = promise(reference).remarks
    assert "at least 0.997 (1 - 10 * (alpha + alpha_zeta))" in remark
    # What was written by hand or by a version that certified more promises no number below 0.
    (remark,) = of(tmp_path / "c", family_wise=5000, alpha=0.001).remarks
    assert "at least 1 - 5000 * alpha, all" in remark


def test_small_alphas_keep_their_digits(tmp_path: Path) -> None:
    assert "at least 1 - 2e-12 (1 - alpha)" in of(tmp_path, alpha=2e-12).holds


def test_neither_images_nor_model_may_know_the_seed(tmp_path: Path) -> None:
    for procedure in (*KINDS, "predict"):
        assumes = of(tmp_path / procedure, procedure=procedure, radii=[0.0]).assumes
        assert "neither the images nor the model depended on the seed" in assumes
        assert "a model made for a known seed can be certified falsely" in assumes


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ({}, "is not recorded"),
        ({"a.onnx": "proven"}, "Proven for a.onnx: the ONNX graph shows that each row of the"),
        ({"a.pth": "probed"}, "Probed for a.pth: that each row .* and is not proven"),
        ({"a.onnx": "proven", "b.onnx": "probed"}, r"Proven for a.onnx: .*\. Probed for b.onnx: "),
        ({"a.onnx": "guessed"}, "Whether each row .* is not known of a.onnx"),
    ],
)
def test_how_rows_are_known_to_be_independent(
    tmp_path: Path, verdicts: dict[str, str], words: str
) -> None:
    log = log_of(tmp_path)
    manifest = {**(log.manifest or {}), "row_independence": verdicts}
    assumes = promise(replace(log, manifest=manifest)).assumes
    assert re.search(words, assumes)
