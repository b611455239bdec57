"""A foreign model as it was given, run by ONNX Runtime on inputs of its own: what an adapted file
is compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.onnx_graph import GraphValue, quiet_session
from smoothcert.engine.models.unloadable import plain, refusal
from smoothcert.export.foreign.input_reading import InputReading
from smoothcert.export.foreign.logits_reading import LogitsReading
from smoothcert.export.foreign.options import PIXELS

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def as_given(rows: Floats, taken: InputReading) -> Array:
    """Rows of the canonical input (float32 [n, C * H * W], CHW order) as the model takes them."""
    images = rows.reshape(len(rows), *taken.spec.shape)
    if taken.clamped:
        images = images.clip(*PIXELS)
    turned: Array = images.astype(taken.number_type)
    if taken.arrangement in ("nhwc", "rows nhwc"):
        turned = turned.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(turned.reshape(len(rows), *taken.given_shape))


def as_logits(output: Array, returned: LogitsReading) -> Floats:
    """What the model returned for some rows as logits, float32 [n, K]."""
    scores = output.astype(np.float32, copy=False)
    if returned.threshold is None:
        return scores.reshape(-1, returned.classes)
    scores = scores.reshape(-1, 1)
    threshold = np.float32(returned.threshold)
    return np.concatenate([threshold - scores, scores - threshold], axis=1)


class GivenNetwork:
    """A Network (backends/base.py) of a file that is not canonical: `taken` and `returned` say what
    it takes and returns.

    Raises InputError where ONNX Runtime does not run it on a CPU.
    """

    def __init__(
        self, path: Path, taken: InputReading, returned: LogitsReading, batch: int
    ) -> None:
        self.spec, self.num_classes = taken.spec, returned.classes
        self.inputs = np.zeros((batch, taken.spec.num_pixels), np.float32)
        self._taken, self._returned = taken, returned
        self._session = _Session(path)

    def run(self) -> Floats:
        """See Network.run."""
        given = as_given(self.inputs, self._taken)
        size = self._taken.batch or len(given)
        outputs = []
        for start in range(0, len(given), size):
            rows = given[start : start + size]
            short = size - len(rows)
            padded = np.concatenate([rows, np.repeat(rows[-1:], short, axis=0)]) if short else rows
            (output,) = self._session.run([self._returned.name], self._taken.name, padded)
            outputs.append(as_logits(output, self._returned)[: len(rows)])
        return np.concatenate(outputs)

    def describe(self) -> dict[str, Any]:
        """See Network.describe."""
        return {"runtime": "onnxruntime", "precision": "fp32", "threads": 1}


def with_found_shapes(
    path: Path, outputs: Sequence[GraphValue], taken: InputReading
) -> list[GraphValue]:
    """The outputs, with the shapes that they have when the model at `path` is run once on random
    pixels; raises InputError where it does not run."""
    batch = taken.batch or 2
    rows = np.random.default_rng(0).random((batch, taken.spec.num_pixels), np.float32)
    if taken.clamped:
        rows *= PIXELS[1]
    results = _Session(path).run(
        [value.name for value in outputs], taken.name, as_given(rows, taken)
    )
    found = []
    for value, result in zip(outputs, results, strict=True):
        shape: list[int | str | None] = list(getattr(result, "shape", ()))
        if shape and shape[0] == batch and taken.batch is None:
            shape[0] = "N"
        found.append(GraphValue(value.name, value.type, shape))
    return found


class _Session:
    """ONNX Runtime on a CPU, whose complaints come as InputError and nowhere else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._session = quiet_session(path, threads=usable_cores())
        except Exception as error:
            raise refusal(path, error) from None

    def run(self, names: Sequence[str], name: str, value: Array) -> list[Any]:
        try:
            results: list[Any] = self._session.run(list(names), {name: value})
        except Exception as error:
            raise InputError(
                f"model {self._path} does not run on images {list(value.shape[1:])} "
                f"({plain(error, 160)}): expected a classifier of such images; is --input-shape or "
                "--layout another?"
            ) from None
        return results
