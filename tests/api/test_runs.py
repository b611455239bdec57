"""certify and predict from Python: the logs that the commands write."""

from pathlib import Path
from typing import Any

import pytest
from untimed_logs import untimed

import smoothcert
from smoothcert.cli.main import main
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    assert done.value.code == 0


def test_logs_are_those_of_the_commands(model: Path, source: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.tsv", tmp_path / "theirs.tsv"
    options: dict[str, Any] = {"sigma": 0.5, "n": 400, "radii": [0.25, 0.0], "max": 5, "batch": 32}
    summary = smoothcert.certify(model, str(source), ours, **options)
    assert (summary.images, summary.certified_now, summary.failed) == (5, 5, ())
    run("certify", model, source, theirs, "--sigma", 0.5, "--n", 400, "--radii", "0,0.25",
        "--max", 5, "--batch", 32)  # fmt: skip
    assert untimed(ours) == untimed(theirs)
    assert read_manifest(ours)["run"] == read_manifest(theirs)["run"]
    assert smoothcert.certify(model, source, ours, **options).certified_now == 0  # resumed
    report = smoothcert.audit(ours, source, rows=5)
    assert (report.rows, report.repeated, report.findings) == (5, 5, [])
    assert len(smoothcert.read_log(ours)) == 5


def test_predictions_and_transfers(model: Path, source: Path, tmp_path: Path) -> None:
    predicted, transferred = tmp_path / "predicted.tsv", tmp_path / "transferred.tsv"
    smoothcert.predict(model, source, predicted, sigma=0.5, n=100)
    assert read_manifest(predicted)["run"]["procedure"] == "predict"
    smoothcert.certify(model, source, transferred, sigma=0.5, n=300, transfer_to=model, max=2)
    assert read_manifest(transferred)["run"]["n_zeta"] == 1000
    assert not smoothcert.audit(transferred, source).findings


def test_what_does_not_go_together_is_refused_before_any_file_is_opened(tmp_path: Path) -> None:
    absent = tmp_path / "absent.onnx"
    for options, words in (
        ({"n": 3}, "n 3 is too small"),
        ({"alpha_zeta": 0.1}, "are of a transfer only"),
        ({"shard": "3"}, "is not of the form i/k"),
        ({"workers": 2}, "expected --ray with them"),
    ):
        with pytest.raises(InputError, match=words):
            smoothcert.certify(absent, "source", tmp_path / "log", sigma=0.5, **options)
    assert not list(tmp_path.iterdir())
