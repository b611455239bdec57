"""The bench command as scripts use it: one JSON object, an export, errors in one line."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import smoothcert
from foreign_models import classifier, node, value

from smoothcert.cli.bench import _print
from smoothcert.engine.models.model import Model, open_onnx

WITHOUT_COMPILER = ("--against", "reference,runtime")
QUICK = ("--rounds", 1, "--seconds", 0.02, "--batch", 32, "--reference-batch", 40)


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return smoothcert("bench", *arguments)


@pytest.mark.slow
def test_json_is_the_last_line_and_has_every_promised_key(networks: dict[str, Model]) -> None:
    done = bench(networks["demo"].path, *QUICK, *WITHOUT_COMPILER, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    for key in ("samples_per_second", "reference_samples_per_second", "runtime_samples_per_second",
                "speedup_over_reference", "fraction_of_runtime"):  # fmt: skip
        assert result[key] > 0
    assert result["precision"] == "fp32"
    assert result["batch"] == 32
    assert result["device"] == "cpu"
    assert result["backend"] in ("onnxruntime", "openvino")


@pytest.mark.slow
def test_a_foreign_model_goes_without_the_reference_unless_it_is_asked_for(
    linear_model: Callable[..., Path],
) -> None:
    path = linear_model(np.zeros((5, 60)), np.zeros(5), (3, 5, 4))
    done = bench(path, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "certification loop" in done.stdout
    assert "original loop" not in done.stdout
    assert done.stderr.startswith("no reference, compiled: model ")
    done = bench(path, *QUICK, "--against", "reference")
    assert done.returncode == 2
    assert "does not name its architecture" in done.stderr


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line says of what it is: the rival's precision and batch, the limit's shape."""
    names = ("samples_per_second", "reference_samples_per_second", "runtime_samples_per_second",
             "reference_same_batch_samples_per_second", "compiled_samples_per_second",
             "fraction_of_runtime", "speedup_over_reference", "speedup_over_compiled",
             "speedup_over_reference_same_batch")  # fmt: skip
    result = {
        **dict.fromkeys(names, 2.0), "spread": dict.fromkeys(names, (1.0, 3.0)), "arch": "x",
        "input_shape": [3, 4, 5], "runtime": "r 1", "precision": "int8", "batch": 8, "threads": 2,
        "rounds": 5, "machine": {"processor": "p"}, "passed_over": {}, "took": None,
        "compiled_precision": "bf16", "compiled_batch": 32, "reference_batch": 64, "stages": None,
        "gflop_per_sample": 0.5, "gflops": 10.0, "share_of_limit": 0.25, "limit_gflops": 40.0,
        "limit_shape": "product 1x2 by 2x2",
    }  # fmt: skip
    _print(result)
    out = capsys.readouterr().out
    assert "torch.compile bf16, batch 32 " in out
    assert "original loop, batch 64 " in out
    assert "the original loop's own batch is 1,000" in out
    assert "medians of 5 rounds" in out
    assert (
        "25.0% of 40 GFLOP/s, the best of 8 large products and convolutions here "
        "(product 1x2 by 2x2)"
    ) in out
    _print({**result, "reference_batch": 1000})
    assert "own batch" not in capsys.readouterr().out


@pytest.mark.slow
def test_export_only_writes_the_network(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "model.onnx"
    done = bench("--arch", "small_cnn", "--num-classes", 7, "--export-only", out)
    assert done.returncode == 0, done.stderr
    assert open_onnx(out).num_classes == 7
    again = bench("--arch", "small_cnn", "--export-only", out)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected MODEL or --arch NAME"),
        (["x.onnx", "--arch", "small_cnn"], "expected MODEL or --arch NAME"),
        (["absent.onnx"], "absent.onnx does not exist"),
        (["--arch", "abacus"], "architecture 'abacus' is unknown"),
        (["--arch", "small_cnn", "--against", "nothing"], "--against 'nothing' is unknown"),
        (["--arch", "small_cnn", "--input-shape", "1,28"], "is no list of 3 numbers"),
        (["--arch", "small_cnn", "--export-only", "absent/x.onnx"], "is no folder"),
        (["--arch", "small_cnn", "--mean", "0.5"], "--mean is for MODEL"),
        (["absent.onnx", "--num-classes", "7"], "are for --arch NAME"),
        (["absent.onnx", "--input-range", "1,0"], "--input-range 1,0 is no range"),
    ],
)
def test_bad_options_end_in_one_line(arguments: list[str], words: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_model_of_others_is_told_how_it_is_read(tmp_path: Path) -> None:
    before = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])]
    inputs = [value("x", ["N", "h", "w", 3])]
    path = classifier(tmp_path / "m.onnx", inputs=inputs, before=before, last="t")
    asked = ("--against", "runtime", "--input-shape", "3,8,8", "--input-range", "-1,1", *QUICK)
    done = bench(path, *asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{path}: input x [N, h, w, 3]: channels last" in done.stdout
