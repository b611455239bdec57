"""A model on a node: fetched once, checked always."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from smoothcert.engine.base.errors import RunStoppedError
from smoothcert.engine.models.model import model_files, open_onnx
from smoothcert.engine.run.cluster.shipping import receive, ship, shipped_bytes


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    return linear_model(np.ones((4, 108)), np.zeros(4), (3, 6, 6))


class Store:
    """An object store of one process that counts what is fetched."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.fetched = 0

    def put(self, thing: Any) -> int:
        self.objects.append(thing)
        return len(self.objects) - 1

    def get(self, reference: int) -> Any:
        self.fetched += 1
        return self.objects[reference]


def test_it_is_fetched_once_and_again_where_damaged(model: Path) -> None:
    store = Store()
    opened = open_onnx(model)
    shipped = ship(opened, store.put)
    received = receive(shipped, store.get)
    assert received.path != model
    assert received.path.read_bytes() == model.read_bytes()
    assert open_onnx(received.path).sha256 == opened.sha256
    receive(shipped, store.get)
    assert store.fetched == 1
    received.path.write_bytes(b"damaged")
    assert receive(shipped, store.get).path.read_bytes() == model.read_bytes()
    assert store.fetched == 2


def test_external_data_travels_with_it(model: Path) -> None:
    graph = onnx.load(str(model))
    path = model.with_name("large.onnx")
    onnx.save(graph, str(path), save_as_external_data=True, location="large.data", size_threshold=0)
    assert len(model_files(path)) == 2
    store = Store()
    opened = open_onnx(path)
    received = receive(ship(opened, store.put), store.get)
    assert sorted(file.name for file in model_files(received.path)) == ["large.data", "large.onnx"]
    assert open_onnx(received.path).sha256 == opened.sha256
    assert shipped_bytes(opened) == sum(len(thing) for thing in store.objects)


def test_another_content_is_refused(model: Path) -> None:
    store = Store()
    shipped = ship(open_onnx(model), store.put)
    store.objects[0] = store.objects[0][:-1]
    with pytest.raises(RunStoppedError, match="changed while it was sent"):
        receive(shipped, store.get)
