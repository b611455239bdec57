"""Which runtime a run takes, in which precision, and what is refused."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.backends.base import Backend, Compute, Network, Rows
from smoothcert.engine.backends.host import runtimes, speed
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES, precision_of_run
from smoothcert.engine.backends.host.speed import Speed
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base import machine
from smoothcert.engine.base.errors import InputError, MissingPartError
from smoothcert.engine.base.machine import processor_flags
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

LAW = LatticeGaussian(0.25)
needs_openvino = pytest.mark.skipif(
    HOST_RUNTIMES["openvino"].version is None, reason="openvino is not installed"
)
needs_bf16 = pytest.mark.skipif(
    not {"avx512_bf16", "amx_bf16"} & set(processor_flags()), reason="this processor has no bf16"
)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Model:
    rng = np.random.default_rng(0)
    return open_onnx(linear_model(rng.normal(size=(5, 60)), rng.normal(size=5), (3, 5, 4)))


def runtime(backend: Backend) -> str:
    return str(backend.describe()["runtime"].partition(" ")[0])


def remember(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> list[str]:
    """Replace the clock's verdict alone: the list says what was measured."""
    measured: list[str] = []

    def speed(identity: dict[str, object], build: object, *_: object) -> Speed:
        name = str(identity["runtime"]).partition(" ")[0]
        measured.append(name)
        return Speed(16, seconds[name])

    monkeypatch.setattr(runtimes, "remembered_speed", speed)
    return measured


@needs_openvino
@pytest.mark.parametrize("winner", ["onnxruntime", "openvino"])
def test_auto_takes_the_faster_runtime(
    model: Model, monkeypatch: pytest.MonkeyPatch, winner: str
) -> None:
    seconds = {name: 1.0 if name == winner else 1.2 for name in HOST_RUNTIMES}
    measured = remember(monkeypatch, seconds)
    assert runtime(open_backend(model, LAW, 0)) == winner
    assert set(measured) == set(HOST_RUNTIMES)
    # The choice is the same whatever batch and threads are asked for.
    backend = open_backend(model, LAW, 0, Compute(batch=3, threads=1))
    assert (runtime(backend), backend.batch_size) == (winner, 3)


@needs_openvino
def test_where_speeds_are_about_equal_auto_is_onnxruntime(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(monkeypatch, {"onnxruntime": 1.0, "openvino": 0.95})
    assert runtime(open_backend(model, LAW, 0)) == "onnxruntime"


@needs_openvino
def test_auto_measures_once_and_its_choice_stays(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_backend(model, LAW, 0)

    def never(*_: object) -> Speed:
        raise AssertionError("measured again")

    monkeypatch.setattr(speed, "measure_speed", never)
    again = open_backend(model, LAW, 0)
    assert again.describe() == first.describe()


@needs_openvino
def test_auto_goes_without_a_runtime_that_refuses_the_model(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(model: Model, batch: int, precision: str, threads: int) -> Network:
        raise InputError("not this one")

    refusing = replace(HOST_RUNTIMES["openvino"], open=refuse)
    monkeypatch.setitem(HOST_RUNTIMES, "openvino", refusing)
    assert runtime(open_backend(model, LAW, 0)) == "onnxruntime"


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """This package is not installed."""
    real_version, real_module = machine.version_of, importlib.import_module

    def importing_module(name: str, *arguments: object) -> object:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real_module(name, *arguments)  # type: ignore[arg-type]

    def version(*distributions: str) -> str | None:
        return None if package in distributions else real_version(*distributions)

    monkeypatch.setattr(importlib, "import_module", importing_module)
    monkeypatch.setattr(runtimes, "version_of", version)


def test_without_openvino_auto_is_onnxruntime(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "openvino")
    assert runtime(open_backend(model, LAW, 0)) == "onnxruntime"
    for asked in ({"backend": "openvino"}, {"precision": "bf16"}):
        with pytest.raises(MissingPartError, match=r"pip install 'smoothcert\[openvino\]'"):
            open_backend(model, LAW, 0, Compute(**asked))  # type: ignore[arg-type]


@needs_openvino
@needs_bf16
def test_bf16_on_demand_takes_openvino(model: Model) -> None:
    backend = open_backend(model, LAW, 0, Compute(precision="bf16", batch=8))
    assert runtime(backend) == "openvino"
    assert backend.describe()["precision"] == "bf16"
    assert open_backend(model, LAW, 0, Compute(batch=8)).describe()["precision"] == "fp32"


def test_onnxruntime_cannot_lower_a_model(model: Model) -> None:
    with pytest.raises(InputError, match="use --backend openvino"):
        open_backend(model, LAW, 0, Compute(backend="onnxruntime", precision="bf16"))


@pytest.mark.parametrize("own", ["fp16", "bf16", "int8", "fp8"])
def test_a_model_of_a_lower_precision_runs_as_it_says(model: Model, own: str) -> None:
    lowered = replace(model, metadata={"precision": own})
    assert precision_of_run(lowered, None) == own
    assert precision_of_run(lowered, own) == own
    for asked in {"fp32", "bf16"} - {own}:
        with pytest.raises(InputError, match=f"precision {asked} does not fit"):
            precision_of_run(lowered, asked)


def test_an_fp32_model_is_lowered_to_bf16_alone(model: Model) -> None:
    assert precision_of_run(model, None) == precision_of_run(model, "fp32") == "fp32"
    assert precision_of_run(model, "bf16") == "bf16"
    with pytest.raises(InputError, match="smoothcert export --precision int8"):
        precision_of_run(model, "int8")


@needs_openvino
def test_a_fixed_batch_is_the_only_one_measured(linear_model: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    path = linear_model(rng.normal(size=(5, 60)), rng.normal(size=5), (3, 5, 4), batch=8)
    fixed = open_onnx(path)
    for name in ("auto", *HOST_RUNTIMES):
        assert open_backend(fixed, LAW, 9, Compute(backend=name)).batch_size == 8


@needs_openvino
def test_both_runtimes_vote_alike(networks: dict[str, Model]) -> None:
    """On the demo's network: float rounding turns hardly a vote."""
    demo = networks["demo"]
    image = np.load(Path(__file__).parents[4] / "data" / "fashion_mnist_500.npz")["images"][3]
    rows = Rows(np.zeros(256, np.int32), np.arange(256, dtype=np.uint32), np.ones(256, np.uint32))
    votes = []
    for name in HOST_RUNTIMES:
        backend = open_backend(demo, LatticeGaussian(1.0), 5, Compute(backend=name, batch=256))
        backend.place(0, 3, image)
        backend.submit(rows)
        votes.append(backend.collect())
    assert len(set(votes[0].tolist())) > 2
    assert (votes[0] != votes[1]).sum() <= 1
