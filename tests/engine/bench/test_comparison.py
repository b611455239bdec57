"""One small measurement of a real network: every figure fits the others."""

import json
import shutil
from dataclasses import replace

import pytest

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.bench.comparison import BenchSettings, compare
from smoothcert.engine.bench.shapes import SHAPES
from smoothcert.engine.models.model import Model

SETTINGS = BenchSettings(
    compute=Compute(backend="onnxruntime", batch=32, threads=1),
    reference_batch=40,
    rounds=1,
    seconds=0.05,
)


def test_figures_fit_together(networks: dict[str, Model]) -> None:
    pytest.importorskip("torch")
    from smoothcert.export.random_model import random_module

    model = networks["demo"]
    module = random_module("small_cnn", 10, (1, 28, 28))
    result = compare(model, module, SETTINGS, against=("reference", "runtime"))
    ours = result["samples_per_second"]
    for name, ratio in (
        ("reference", "speedup_over_reference"),
        ("reference_same_batch", "speedup_over_reference_same_batch"),
        ("runtime", "fraction_of_runtime"),
    ):
        assert result[ratio] == pytest.approx(ours / result[f"{name}_samples_per_second"])
        low, high = result["spread"][f"{name}_samples_per_second"]
        assert low <= result[f"{name}_samples_per_second"] <= high
    assert (result["reference_batch"], result["rounds"]) == (40, 1)
    assert (result["backend"], result["precision"], result["batch"], result["device"]) == (
        "onnxruntime",
        "fp32",
        32,
        "cpu",
    )
    assert sum(result["stages"].values()) == pytest.approx(1.0)
    assert result["gflops"] == pytest.approx(result["gflop_per_sample"] * ours)
    # Of one round, the ratio of medians is the median of ratios.
    assert result["share_of_limit"] == pytest.approx(result["gflops"] / result["limit_gflops"])
    assert result["limit_shape"] in [shape.title for shape in SHAPES]
    assert json.loads(json.dumps(result))["arch"] == "small_cnn"


def test_what_is_not_measured_is_none(networks: dict[str, Model]) -> None:
    result = compare(networks["demo"], None, SETTINGS, against=(), limit=False)
    assert result["samples_per_second"] > 0
    for key in ("reference_samples_per_second", "speedup_over_reference", "fraction_of_runtime",
                "runtime_samples_per_second", "limit_gflops", "share_of_limit",
                "compiled_samples_per_second", "speedup_over_compiled",
                "compiled_batch", "compiled_precision", "limit_shape", "reference_batch",
                "took"):  # fmt: skip
        assert result[key] is None


def test_the_original_with_our_batch_is_measured_once(networks: dict[str, Model]) -> None:
    pytest.importorskip("torch")
    from smoothcert.export.random_model import random_module

    module = random_module("small_cnn", 10, (1, 28, 28))
    settings = replace(SETTINGS, reference_batch=32)
    result = compare(networks["demo"], module, settings, against=("reference",), limit=False)
    assert result["reference_batch"] == result["batch"] == 32
    same = result["reference_same_batch_samples_per_second"]
    assert same == result["reference_samples_per_second"] > 0


def test_the_compiled_loop_is_beside_ours(networks: dict[str, Model]) -> None:
    pytest.importorskip("torch")
    if not shutil.which("g++"):
        pytest.skip("torch.compile on a CPU needs a C++ compiler, and g++ is not here")
    from smoothcert.export.random_model import random_module

    module = random_module("small_cnn", 10, (1, 28, 28))
    settings = replace(SETTINGS, budget=1e-3)  # no time for other batches
    late = compare(networks["demo"], module, settings, against=("compiled",), limit=False)
    assert "no time was left" in late["not_measured"]["compiled"]
    assert late["compiled_samples_per_second"] is None
    asked = ("compiled",)
    result = compare(networks["demo"], module, settings, against=asked, must=True, limit=False)
    assert (result["compiled_precision"], result["compiled_batch"]) == ("fp32", 32)
    assert result["not_measured"] == {}
    speedup = result["samples_per_second"] / result["compiled_samples_per_second"]
    assert result["speedup_over_compiled"] == pytest.approx(speedup)
    assert result["reference_samples_per_second"] is None


def test_without_a_compiler_the_others_are_measured(
    networks: dict[str, Model],
) -> None:
    pytest.importorskip("torch")
    from torch._inductor import config

    from smoothcert.export.random_model import random_module

    module = random_module("small_cnn", 10, (1, 28, 28))
    asked = ("compiled", "runtime")
    with config.patch({"cpp.cxx": ("/absent/compiler",)}):
        result = compare(networks["demo"], module, SETTINGS, against=asked, limit=False)
        with pytest.raises(InputError, match=r"C\+\+ compiler"):
            compare(networks["demo"], module, SETTINGS, against=asked, must=True, limit=False)
    assert "C++ compiler" in result["not_measured"]["compiled"]
    assert result["compiled_samples_per_second"] is None
    assert result["runtime_samples_per_second"] > 0
