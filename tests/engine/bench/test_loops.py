"""The product's loops on a real backend: endless, exact, and without a trace."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.backends.base import Backend, Compute, Rows
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.bench.loops import CertificationLoop, RuntimeLoop, synthetic_images
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

SHAPE = (3, 5, 4)


@pytest.fixture
def backend(linear_model: Callable[..., Path]) -> Backend:
    rng = np.random.default_rng(0)
    path = linear_model(rng.normal(size=(5, 60)), rng.normal(size=5), SHAPE)
    return open_backend(
        open_onnx(path),
        LatticeGaussian(0.25),
        0,
        Compute(backend="onnxruntime", batch=64, threads=1),
    )


def test_images_are_endless_uint8_and_of_different_indices() -> None:
    images = list(itertools.islice(synthetic_images(SHAPE), 40))
    assert [image.index for image in images] == list(range(40))
    assert {image.pixels.dtype for image in images} == {np.dtype(np.uint8)}
    assert len({image.pixels.tobytes() for image in images}) > 1


def test_certification_fills_every_batch_and_leaves_nothing_in_flight(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def votes() -> bytes:
        backend.place(0, 7, np.full(SHAPE, 100, np.uint8))
        rows = np.arange(64, dtype=np.uint32)
        backend.submit(Rows(np.zeros(64, np.int32), rows, np.ones(64, np.uint32)))
        return backend.collect().tobytes()

    before = votes()
    loop = CertificationLoop(backend, 0.25)
    loop.warm(0.01)
    assert (loop.samples, loop.stage_seconds) == (0, {})
    submit, sizes = backend.submit, []

    def counted(rows: Rows) -> None:
        sizes.append(len(rows))
        submit(rows)

    monkeypatch.setattr(backend, "submit", counted)
    samples, seconds = loop.run(0.2)
    assert set(sizes) == {64}  # full batches only: no tail is measured
    # A few rows are drawn a second time, and are no samples.
    assert 0.99 * sum(sizes) < samples <= sum(sizes)
    assert seconds >= 0.2
    assert set(loop.stage_seconds) == {"noise", "network", "vote"}
    assert all(spent > 0 for spent in loop.stage_seconds.values())
    assert sum(loop.stage_seconds.values()) < loop.seconds == seconds
    assert votes() == before


def test_the_bare_runtime_runs_whole_batches(backend: Backend) -> None:
    noise = backend.stage_seconds["noise"]
    samples, seconds = RuntimeLoop(backend).run(0.02)
    assert samples % 64 == 0
    assert seconds >= 0.02
    assert backend.stage_seconds["noise"] == noise
