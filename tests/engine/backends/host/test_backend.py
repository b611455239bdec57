"""Votes, padding, and the host backend on real runtimes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.backends.base import Backend, Compute, Rows
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

SHAPE = (3, 5, 4)
LAW = LatticeGaussian(0.5)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    rng = np.random.default_rng(0)
    return linear_model(rng.normal(size=(5, 60)), rng.normal(size=5), SHAPE)


def filled(backend: Backend) -> Backend:
    rng = np.random.default_rng(2)
    for slot in range(3):
        pixels = rng.integers(0, 256, SHAPE).astype(np.uint8)
        backend.place(slot, 100 + slot, pixels)
    return backend


def rows(order: np.ndarray) -> Rows:
    """Rows 0 .. 59 of a fixed list, in the given order."""
    slots = (np.arange(60) % 3).astype(np.int32)[order]
    samples = (np.arange(60) // 3).astype(np.uint32)[order]
    return Rows(slots, samples, np.ones(len(order), np.uint32))


def votes(backend: Backend, order: np.ndarray) -> np.ndarray:
    backend.submit(rows(order))
    return backend.collect()


def test_votes_depend_on_the_row_alone(model: Path) -> None:
    """Not on its place, its neighbours, the padding, the batch size or the threads."""
    opened = open_onnx(model)
    expected = votes(filled(open_backend(opened, LAW, 9, Compute(batch=60))), np.arange(60))
    assert len(set(expected.tolist())) > 2
    order = np.random.default_rng(5).permutation(60)
    for batch, threads in ((60, 1), (64, 2), (100, 2), (60, 2)):
        backend = filled(open_backend(opened, LAW, 9, Compute(batch=batch, threads=threads)))
        assert np.array_equal(votes(backend, order), expected[order])
        assert np.array_equal(votes(backend, order[:7]), expected[order[:7]])
    single = filled(open_backend(opened, LAW, 9, Compute(batch=1)))
    for row in range(20):
        assert votes(single, np.array([row]))[0] == expected[row]


def test_votes_equal_numpy_on_the_same_noise(model: Path) -> None:
    import onnx
    from onnx import numpy_helper

    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(model)).graph.initializer}
    backend = filled(open_backend(open_onnx(model), LAW, 9, Compute(batch=60)))
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, SHAPE).astype(np.uint8) for _ in range(3)]
    expected = []
    for i in range(60):
        noise = LAW.sample(9, 100 + i % 3, i // 3, 1, 60, 1)[0]
        x = (images[i % 3].reshape(-1) + noise) / 255
        expected.append(int((tensors["weight"] @ x + tensors["bias"]).argmax()))
    assert votes(backend, np.arange(60)).tolist() == expected


def test_a_fixed_batch_is_taken_from_the_model(
    linear_model: Callable[..., Path],
) -> None:
    rng = np.random.default_rng(0)
    path = linear_model(rng.normal(size=(5, 60)), rng.normal(size=5), SHAPE, batch=8)
    assert open_backend(open_onnx(path), LAW, 9).batch_size == 8
    with pytest.raises(InputError, match="fixed at 8"):
        open_backend(open_onnx(path), LAW, 9, Compute(batch=16))


def test_the_batch_size_is_measured_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from smoothcert.engine.backends.host import speed

    first = open_backend(open_onnx(model), LAW, 9)
    assert 8 <= first.batch_size <= 1024

    def never(*_: object) -> int:
        raise AssertionError("measured again")

    monkeypatch.setattr(speed, "measure_speed", never)
    assert open_backend(open_onnx(model), LAW, 9).batch_size == first.batch_size
    assert first.describe()["batch"] == first.batch_size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch": 0}, "batch 0"),
        ({"backend": "abacus"}, "abacus"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_what_cannot_be_had_is_refused(
    model: Path, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        open_backend(open_onnx(model), LAW, 9, Compute(**arguments))  # type: ignore[arg-type]
