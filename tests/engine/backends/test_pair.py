"""Two models on the same noise: the fast one's votes, and where the reference differs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from smoothcert.engine.backends.base import Compute, Rows
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose

LAW = LatticeGaussian(0.5)
SHAPE = (1, 2, 2)
Linear = Callable[..., Path]


@pytest.fixture
def models(linear_model: Linear) -> tuple[Model, Model]:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(3, 4))
    fast = linear_model(weight, np.zeros(3), SHAPE, name="fast.onnx")
    other = rng.normal(size=(3, 4))
    return open_onnx(fast), open_onnx(linear_model(other, np.zeros(3), SHAPE, name="ref.onnx"))


def votes(model: Model, rows: Rows, image: np.ndarray) -> np.ndarray:
    backend = open_backend(model, LAW, 0, Compute(batch=40))
    backend.place(2, 9, image)
    backend.submit(rows)
    return backend.collect()


def test_votes_tell_agreement_from_loss(models: tuple[Model, Model]) -> None:
    purposes = np.tile(np.array([Purpose.ESTIMATION, Purpose.DISAGREEMENT], np.uint32), 20)
    rows = Rows(np.full(40, 2, np.int32), np.arange(40, dtype=np.uint32), purposes)
    image = np.array([[[10, 120], [200, 90]]], np.uint8)
    pair = open_backend(models[0], LAW, 0, Compute(batch=40), reference=models[1])
    assert pair.num_classes == 6
    pair.place(2, 9, image)
    pair.submit(rows)
    found = pair.collect()
    fast, reference = votes(models[0], rows, image), votes(models[1], rows, image)
    compared = purposes == Purpose.DISAGREEMENT
    lost = compared & (fast != reference)
    assert lost.sum() > 0
    assert found.tolist() == np.where(lost, fast + 3, fast).tolist()
    only_fast = Rows(rows.slots, rows.samples, np.zeros(40, np.uint32))
    pair.submit(only_fast)
    assert pair.collect().tolist() == votes(models[0], only_fast, image).tolist()
    assert "runtime" in pair.describe()["reference"]


def test_a_reference_that_is_not_finite_always_loses(
    models: tuple[Model, Model], linear_model: Linear
) -> None:
    nan = open_onnx(linear_model(np.full((3, 4), np.nan), np.zeros(3), SHAPE, name="nan.onnx"))
    rows = Rows(np.zeros(8, np.int32), np.arange(8, dtype=np.uint32),
                np.full(8, Purpose.DISAGREEMENT, np.uint32))  # fmt: skip
    image = np.zeros(SHAPE, np.uint8)
    for pair, expected in (((models[0], nan), (3, 5)), ((nan, models[0]), (-1, -1))):
        backend = open_backend(pair[0], LAW, 0, Compute(batch=8), reference=pair[1])
        backend.place(0, 1, image)
        backend.submit(rows)
        found = backend.collect()
        assert expected[0] <= found.min()
        assert found.max() <= expected[1]


def test_models_that_see_different_images_are_refused(
    models: tuple[Model, Model], linear_model: Linear, tmp_path: Path
) -> None:
    classes = open_onnx(linear_model(np.ones((2, 4)), np.zeros(2), SHAPE, name="two.onnx"))
    with pytest.raises(InputError, match="classes") as caught:
        open_backend(models[0], LAW, 0, reference=classes)
    assert "\n" not in str(caught.value)
    resized = onnx.load(str(models[1].path))
    spec = '{"input_shape": [1, 2, 2], "mean": [], "std": [], "resize": 4, '
    helper.set_model_props(resized, {"smoothcert": spec + '"interpolation": "bilinear"}'})
    onnx.save(resized, str(tmp_path / "resized.onnx"))
    with pytest.raises(InputError, match="resizes photographs to 4"):
        open_backend(models[0], LAW, 0, reference=open_onnx(tmp_path / "resized.onnx"))
