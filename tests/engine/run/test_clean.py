"""Clean predictions are the network's own, on whatever backend, and no noise is in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from smoothcert.engine.backends.base import AUTO, Compute
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.clean import NO_NOISE, CleanPredictions, clean_compute
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.statistics.procedures import FixedCertify

SIGMA = 0.5


def job_of(model: Path, compute: Compute) -> Job:
    return Job(
        model=open_onnx(model),
        law=LatticeGaussian(SIGMA),
        procedure=FixedCertify(SIGMA, 10, 100, 0.001),
        seed=7,
        compute=compute,
    )


def test_the_law_draws_zeros() -> None:
    """One value of 2^64 draws something else."""
    assert NO_NOISE.table.thresholds.tolist() == [0, 2**64 - 1]
    assert not NO_NOISE.sample(0, 3, 0, 50, 20_000, 2).any()


@pytest.mark.parametrize("backend", [name for name, kind in HOST_RUNTIMES.items() if kind.version])
@pytest.mark.parametrize("batch", [1, 5, 64])
def test_they_are_the_networks(backend: str, batch: int, model: Path, source: Path) -> None:
    images = open_source(source, None, 4)
    pixels = np.stack([images.image(index) for index in range(12)]).astype(np.float32) / 255
    (logits,) = ReferenceEvaluator(onnx.load(str(model))).run(None, {"input": pixels})
    expected = np.asarray(logits).argmax(axis=1)
    compute = Compute(backend=backend, batch=batch)
    with CleanPredictions(job_of(model, compute), compute) as clean:
        found = list(clean.of(images, [11, *range(11)]))
        assert clean.describe() == {"backend": backend, "device": "cpu", "precision": "fp32"}
    assert not clean.failed
    assert [each.index for each in found] == [11, *range(11)]
    for each in found:
        assert each.predict == expected[each.index]
        assert each.label == each.index % 4
        assert each.correct == (expected[each.index] == each.index % 4)
    assert 0 < sum(each.correct for each in found) < 12


def test_an_image_that_cannot_be_read_has_none(
    linear_model: Callable[..., Path], photograph_folder: Path
) -> None:
    model = linear_model(np.ones((2, 3 * 80 * 96)), np.array([0.0, 1.0]), (3, 80, 96))
    (photograph_folder / "blue" / "3.jpg").write_bytes(b"torn")
    opened = job_of(model, Compute(batch=4))
    images = open_source(photograph_folder, opened.model.spec, 2)
    with CleanPredictions(opened, opened.compute) as clean:
        found = list(clean.of(images, range(12)))
    assert [each.index for each in found] == [0, 1, 2, *range(4, 12)]
    assert [each.correct for each in found] == [False] * 5 + [True] * 6
    (failed,) = clean.failed
    assert failed.index == 3


def test_where_a_run_predicts() -> None:
    here = clean_compute(Compute(batch=3, threads=2, precision=AUTO), on_cluster=False)
    assert here == Compute(batch=3, threads=2)
    several = Compute(device="cuda:2,cuda:0", precision="fp16", backend="torch", tune=True)
    assert clean_compute(several, on_cluster=False) == Compute(
        device="cuda:2", precision="fp16", backend="torch"
    )
    with pytest.raises(InputError, match="names one twice"):
        clean_compute(Compute(device="cuda:0,cuda:0"), on_cluster=False)


def test_where_the_driver_of_a_cluster_predicts() -> None:
    """On its CPU: the workers' GPUs are not its own."""
    of_gpus = Compute(backend="tensorrt", device="cuda:0", precision="fp16", batch=9, tune=True)
    assert clean_compute(of_gpus, on_cluster=True) == Compute(batch=9)
    of_cpus = Compute(backend="onnxruntime", precision="bf16", threads=1)
    assert clean_compute(of_cpus, on_cluster=True) == Compute(
        backend="onnxruntime", precision="bf16"
    )
