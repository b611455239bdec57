"""The first batch of a device: do its logits mean what the model says?

Half precision ends at 65,504: a network that goes beyond it has logits that are not finite, and
every such row would vote for no class, so that a run abstains without a word. And a graph that was
brought from ONNX into another library must be the same function. Both are asked here, of noisy
images that use the whole range of pixels, before anything is certified.
"""

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import LogitsBackend, Rows
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import HALF_PRECISIONS
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.engine.noise.streams import Purpose

_ROWS = 8
_IMAGE_ID = 2**32 - 1

TOLERANCE = {"fp32": 0.01, "fp16": 0.05, "bf16": 0.2}
"""By precision: how far a logit may be from ONNX Runtime's in float32 on a CPU, as a share of the
batch's largest. On a GPU fp32 products are rounded to TF32, whose mantissa is that of fp16."""

_TOLERANCE_OF_OTHERS = 0.2


class OverflowsError(InputError):
    """A model's logits are finite in float32 and not in the precision that was to be run."""


def passing(
    backend: DeviceBackend, model: Model, law: LatticeGaussian, seed: int, *, equal: bool
) -> DeviceBackend:
    """The backend, if its first batch passes check_first_batch; where it does not, it is closed."""
    try:
        check_first_batch(backend, model, law, seed, equal=equal)
    except BaseException:
        backend.close()
        raise
    return backend


def check_first_batch(
    backend: LogitsBackend, model: Model, law: LatticeGaussian, seed: int, *, equal: bool
) -> None:
    """Run a batch of noisy images, and compare it with the model in ONNX Runtime on the CPU.

    equal  compare logits and votes; otherwise only that they are finite where ONNX Runtime's are
    Raises OverflowsError for logits that are finite there and not here, or not finite of a model
    that is itself of half precision; InputError for others that are too far apart, or that cannot
    be compared.
    """
    images = _images(backend)
    for slot, image in enumerate(images):
        backend.place(slot, _IMAGE_ID, image)
    rows = _rows(len(images), backend.batch_size)
    logits = backend.logits(rows)
    finite = np.isfinite(logits).all(axis=1)
    if finite.all() and not equal:
        return
    precision = str(backend.describe()["precision"])
    if (
        not finite.all() and model.precision in HALF_PRECISIONS
    ):  # in float32 there is nothing to compare with
        raise OverflowsError(
            f"model {model.given} has logits that are not finite for {(~finite).sum()} of "
            f"{len(rows)} noisy images: {model.precision} overflows; export it in bf16 or fp32"
        )
    try:
        expected = _reference(model, law, seed, images, rows)
    except InputError as error:
        if equal or not finite.any():
            raise InputError(
                f"model {model.given} in {precision} cannot be compared with ONNX Runtime on a CPU"
                f": {error}"
            ) from None
        return
    lost = ~finite & np.isfinite(expected).all(axis=1)
    if lost.any():
        raise OverflowsError(
            f"model {model.given} overflows in {precision}: {lost.sum()} of {len(rows)} noisy "
            "images have logits that are not finite, and in float32 they are: use --precision bf16 "
            "or fp32"
        )
    if equal:
        _compare(logits[finite], expected[finite], model, precision)


def _compare(
    logits: npt.NDArray[np.float32], expected: npt.NDArray[np.float32], model: Model, precision: str
) -> None:
    if not len(logits):
        raise InputError(f"model {model.given} has no finite logits for any noisy image")
    scale = float(np.abs(expected).max()) or 1.0
    error = float(np.abs(logits - expected).max()) / scale
    allowed = TOLERANCE.get(precision, _TOLERANCE_OF_OTHERS)
    if not error <= allowed:
        raise InputError(
            f"model {model.given} in {precision} has logits that are up to {error:.2g} of their "
            f"scale from ONNX Runtime's on a CPU: expected at most {allowed}"
        )
    # Within the tolerance a vote may turn only where two classes are nearly equal.
    best = np.sort(expected, axis=1)[:, ::-1]
    clear = len(best[0]) == 1 or best[:, 0] - best[:, 1] > 2 * allowed * scale
    turned = (logits.argmax(axis=1) != expected.argmax(axis=1)) & clear
    if turned.any():
        raise InputError(
            f"model {model.given} in {precision} votes otherwise than ONNX Runtime on a CPU for "
            f"{turned.sum()} of {len(logits)} noisy images: expected the same votes"
        )


def _images(backend: LogitsBackend) -> list[npt.NDArray[np.uint8]]:
    """Black, white, random and a ramp, as many as the backend can hold."""
    shape = backend.spec.shape
    random = np.random.default_rng(0).integers(0, 256, shape)
    ramp = np.broadcast_to(np.linspace(0, 255, shape[2]), shape)
    images = [random, ramp, np.zeros(shape), np.full(shape, 255)]
    return [image.astype(np.uint8) for image in images[: backend.num_slots]]


def _rows(images: int, most: int) -> Rows:
    number = np.arange(min(_ROWS, most))
    return Rows(
        (number % images).astype(np.int32),
        (number // images).astype(np.uint32),
        np.full(len(number), Purpose.ESTIMATION, np.uint32),
    )


def _reference(
    model: Model, law: LatticeGaussian, seed: int, images: list[npt.NDArray[np.uint8]], rows: Rows
) -> npt.NDArray[np.float32]:
    """The same rows' logits by ONNX Runtime's CPU provider. Raises InputError where it has none."""
    batch = model.batch if isinstance(model.batch, int) else len(rows)
    network = OnnxRuntimeNetwork(model, batch)
    sampler = RowSampler(law.table, seed, *model.spec.affine())
    counters = np.stack([rows.samples, np.full(len(rows), _IMAGE_ID, np.uint32), rows.purposes])
    pixels = np.stack([image.reshape(-1) for image in images])
    sampler.fill(pixels, rows.slots, counters, network.inputs)
    return network.run()[: len(rows)].copy()
