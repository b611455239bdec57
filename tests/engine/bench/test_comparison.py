"""One small measurement of a real network: every figure fits the others."""

import json

import pytest

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.bench.comparison import BenchSettings, compare
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
    result = compare(model, random_module("small_cnn", 10, (1, 28, 28)), SETTINGS)
    ours = result["samples_per_second"]
    for name, ratio in (
        ("reference", "speedup_over_reference"),
        ("reference_same_batch", "speedup_over_reference_same_batch"),
        ("runtime", "fraction_of_runtime"),
    ):
        assert result[ratio] == pytest.approx(ours / result[f"{name}_samples_per_second"])
        low, high = result["spread"][f"{name}_samples_per_second"]
        assert low <= result[f"{name}_samples_per_second"] <= high
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
    assert json.loads(json.dumps(result))["arch"] == "small_cnn"


def test_what_is_not_measured_is_none(networks: dict[str, Model]) -> None:
    result = compare(networks["demo"], None, SETTINGS, runtime=False, limit=False)
    assert result["samples_per_second"] > 0
    for key in ("reference_samples_per_second", "speedup_over_reference", "fraction_of_runtime",
                "runtime_samples_per_second", "limit_gflops", "share_of_limit",
                "compiled_samples_per_second", "speedup_over_compiled", "took"):  # fmt: skip
        assert result[key] is None
