"""Does a model with an opened batch give each row what the file as it stands gives it?"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.probe import ROUNDING
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS, InputSpec
from smoothcert.engine.models.onnx_graph import quiet_session
from smoothcert.engine.models.unloadable import plain

_ROWS, _MOST = 3, 8
_NOISE = LEVELS / 4
_OTHERS = 0.01
_FLOAT16 = 10  # TensorProto.FLOAT16

_Array = npt.NDArray[np.float32]


def disagreement(
    model: Any, opened: Any, spec: InputSpec, folder: Path, output: str, *, alone: bool = False
) -> str:
    """Why `opened` is not `model` with an open batch; empty where it is, as far as rows show.

    alone  whether rows alone have to show it: then those in other company are compared too
    Rows in batches of other sizes are compared with the file's own runs. Raises InputError where a
    runtime cannot run one of them.
    """
    given = image_input(opened)
    own = next(value for value in model.graph.input if value.name == given.name)
    batch = own.type.tensor_type.shape.dim[0].dim_value
    half = given.type.tensor_type.elem_type == _FLOAT16
    rows = example_rows(spec, -(-_ROWS // batch) * batch)
    rows = rows.astype(np.float16) if half else rows
    expected = _own_logits(_session(model, folder), output, given.name, rows, batch)
    if len(expected) != len(rows):
        return f"its output has no side for the batch, but {list(expected.shape[1:])}"
    session = _session(opened, folder)
    coarse = half or _quantised(opened)
    allowed = (_OTHERS if coarse else ROUNDING["fp32"]) * _largest(expected)
    several = [*range(len(rows) - 1, -1, -1)][:_MOST]
    sizes = [several, [1, 0]] if batch == 1 else [[*several, 0], [1, 0], [1]]
    for places in sizes:
        try:
            (found,) = session.run([output], {given.name: rows[places]})
        except Exception:  # the runtime's exceptions share no public base class
            return f"a batch of {len(places)} cannot be run"
        if found.shape != expected[places].shape:
            return f"a batch of {len(places)} gives {list(found.shape)}"
        if not _agree(found, expected[places], allowed):
            return f"a batch of {len(places)} gives other logits than the file as it stands"
    if alone and _company_shows(lambda row: session.run([output], {given.name: row})[0], rows):
        return "a row's logits change with the rows beside it"
    return ""


def _company_shows(logits: Callable[[Any], Any], rows: Any) -> bool:
    """Whether a row has other bits in the same place of a batch of the same size, which rounding
    does not explain, once the others have changed places."""
    for one, other, place in (([0, 1, 2], [0, 2, 1], 0), ([0, 1, 2], [1, 0, 2], 2)):
        first, second = logits(rows[one])[place], logits(rows[other])[place]
        if not np.array_equal(first, second, equal_nan=True):
            return True
    return False


def image_input(model: Any) -> Any:
    """The first input of an onnx.ModelProto that is no weight."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return next(value for value in model.graph.input if value.name not in weights)


def _own_logits(session: Any, output: str, given: str, rows: Any, batch: int) -> Any:
    """The output of rows in batches of the file's own size."""
    try:
        return np.concatenate(
            [session.run([output], {given: rows[i : i + batch]})[0]
             for i in range(0, len(rows), batch)]
        )  # fmt: skip
    except Exception as error:  # the runtime's exceptions share no public base class
        raise InputError(f"it cannot be run as it is ({plain(error, 100)})") from None


def _agree(found: Any, expected: Any, allowed: float) -> bool:
    one, other = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        same = (one == other) | (np.isnan(one) & np.isnan(other)) | (abs(one - other) <= allowed)
    return bool(same.all())


def example_rows(spec: InputSpec, count: int) -> _Array:
    """Rows of a network's input, [count, C, H, W]: noisy images, of little contrast and of the
    widest range in turn."""
    rng = np.random.default_rng(0)
    board = np.indices(spec.shape).sum(axis=0) % 2 * LEVELS
    images = np.stack(
        [board if row % 3 == 1 else rng.integers(96, 160, spec.shape) for row in range(count)]
    )
    pixels = np.rint(images + rng.normal(0, _NOISE, images.shape)).astype(np.float32)
    scale, shift = (part.reshape(-1, 1, 1) for part in spec.affine())
    return pixels * scale + shift


def _largest(logits: Any) -> float:
    finite = logits[np.isfinite(logits)].astype(np.float64)
    return float(np.abs(finite).max(initial=0.0))


def _quantised(model: Any) -> bool:
    return any("Quantize" in node.op_type or "Integer" in node.op_type for node in model.graph.node)


def _session(model: Any, folder: Path) -> Any:
    content = model.SerializeToString()
    try:
        return quiet_session(content, threads=usable_cores(), weights_in=folder)
    except Exception as error:
        raise InputError(f"it cannot be compared in ONNX Runtime ({plain(error, 100)})") from None
