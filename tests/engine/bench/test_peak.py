"""The fastest of several shapes, and its rate."""

from collections.abc import Iterator
from typing import Any

import pytest

from smoothcert.engine.bench import peak
from smoothcert.engine.bench.peak import PeakLoop
from smoothcert.engine.bench.shapes import Shape


def test_its_rate_is_of_operations() -> None:
    loop = PeakLoop("onnxruntime", "fp32", 1, [Shape(512, 256, 4)])
    operations, seconds = loop.run(0.0)
    assert operations == 512 * 2 * 256 * 256 * 4
    assert seconds > 0


def test_the_fastest_shape_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look of each may be disturbed: the better of its two counts."""
    shapes = [Shape(1, 4, 1), Shape(2, 4, 1), Shape(3, 4, 1)]
    looks: dict[int, Iterator[float]] = {
        1: iter([5.0, 1.0]),
        2: iter([2.0, 8.0]),
        3: iter([7.0, 7.0]),
    }
    monkeypatch.setattr(peak._Chain, "run", lambda chain, _: (next(looks[chain.shape.rows]), 1.0))
    assert PeakLoop("onnxruntime", "fp32", 1, shapes).shape == shapes[1]


@pytest.mark.parametrize("backend_precision", [("onnxruntime", "int8"), ("openvino", "fp32")])
def test_shapes_run_in_the_runs_precision(backend_precision: tuple[str, str]) -> None:
    backend, precision = backend_precision
    if backend == "openvino":
        pytest.importorskip("openvino")
    loop: Any = PeakLoop(backend, precision, 1, [Shape(2, 8, 2, kernel=3, side=4)])
    described = loop._chain._network.describe()
    assert described["runtime"].startswith(backend)
    assert described.get("precision", precision) == precision
