"""`import smoothcert`: light, complete, and the same as the commands."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import click
import numpy as np
import pytest

import smoothcert
from smoothcert import engine, runs
from smoothcert.cli.audit import command as audit_command
from smoothcert.cli.certify import command as certify_command
from smoothcert.cli.main import main
from smoothcert.cli.predict import command as predict_command
from smoothcert.engine.log.manifest import read_manifest

HEAVY = {"torch", "onnx", "onnxruntime", "openvino", "numba", "scipy", "numpy", "ray"}
SHAPE = (3, 6, 6)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    rng = np.random.default_rng(0)
    return linear_model(3 * rng.normal(size=(4, 108)), rng.normal(size=4), SHAPE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "images.npz"
    images = np.random.default_rng(1).integers(0, 256, (8, 6, 6, 3)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(8) % 4)
    return path


def untimed(log: Path) -> list[list[str]]:
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    time = rows[0].index("time")
    return [row[:time] + row[time + 1 :] for row in rows]


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    assert done.value.code == 0


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, smoothcert; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(eval(done.stdout))


def test_every_name_is_there_and_no_other() -> None:
    for name in smoothcert.__all__:
        assert name in dir(smoothcert)
        assert getattr(smoothcert, name).__doc__
    assert engine.Smooth is smoothcert.Smooth
    with pytest.raises(AttributeError, match="no attribute 'certificate'"):
        smoothcert.certificate  # noqa: B018


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


@pytest.mark.parametrize(
    ("command", "arguments", "function"),
    [
        (certify_command, ["model", "source", "log", "--sigma=1"], smoothcert.certify),
        (predict_command, ["model", "source", "log", "--sigma=1"], smoothcert.predict),
        (audit_command, ["log", "source"], smoothcert.audit),
    ],
)
def test_options_have_the_same_names_and_defaults(
    command: click.Command, arguments: list[str], function: Callable[..., Any]
) -> None:
    parameters = dict(inspect.signature(function).parameters)
    if "options" in parameters:
        del parameters["options"]
        rest = inspect.signature(runs._run).parameters
        parameters |= {name: rest[name] for name in get_type_hints(runs.RunOptions)}
        del parameters["watcher"]
    given = command.make_context("command", arguments).params
    assert set(given) - {"log_json", "metrics_port", "metrics_host"} == set(parameters)
    for name, parameter in parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            assert given[name] == parameter.default, name
