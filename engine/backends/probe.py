"""The probe at opening: is a row's logits the same in any place, in any company, run after run?

Whatever a file or a module says of itself, a backend is asked before it may certify. Noisy images
are run in other places, beside images of the widest range of pixels, in a part of a batch and a
second time; logits are compared, since votes hide what is small (a quantisation whose scale is the
whole batch's passes a test of 2,000 votes).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import LogitsBackend, Rows
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose

ROWS = 64
"""Rows that are compared, where the batch has room for as many again beside them."""

ROUNDING = {"fp32": 1e-3, "fp16": 0.01, "bf16": 0.05}
"""By precision: what sums in another order explain of a change of a logit, as a share of the
largest (on a GPU fp32 products are rounded to TF32, whose mantissa is that of fp16)."""

_ROUNDING_OF_OTHERS = 0.01

Equality = Literal["bitwise", "rounding"]

_MOST_ROUNDS = 4
_SEVERAL = 8
_SLOW_SECONDS = 1.0
_IMAGE_ID = 2**32 - 1
_ALONE = (0, 1, 0, 2, 1, 3, 2, 3, 0)
"""The order of rows where a batch is one row: the company of each is what ran before it."""

_QUIET, _LOUD = -1, -2
"""Places of a batch that hold no compared row, but company of little contrast or of much."""

_Logits = npt.NDArray[np.float32]
_Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Probe:
    """What was found: no difference, or none that float rounding does not explain.

    equality        bitwise: every row's logits were the same to the last bit
    largest_change  of a logit, as a share of the largest
    batches, rows   run, compared
    """

    equality: Equality
    largest_change: float
    batches: int
    rows: int


def probe(backend: LogitsBackend, name: str) -> Probe:
    """Run rows of noisy images again in other places and company, and compare their logits.

    Up to 16 batches; two where a batch takes more than a second (three of one row). Raises
    InputError, saying why no certificate would hold, for a difference that float rounding does not
    explain.
    """
    slots = _place_images(backend)
    compared = _Compared(_allowed(backend))
    for places in _batches(backend.batch_size):
        start = time.perf_counter()
        compared.add(places, backend.logits(_rows(places, slots)))
        if time.perf_counter() - start > _SLOW_SECONDS and compared.again:
            break
    if (found := compared.unexplained()) is not None:
        raise _refusal(name, found, repeats=_repeats(backend, slots))
    equality: Equality = "bitwise" if compared.bitwise else "rounding"
    return Probe(equality, compared.largest_change, compared.batches, len(compared.first))


def compare_sizes(backend: LogitsBackend, other: LogitsBackend, name: str) -> None:
    """Raise InputError where a row's logits in a batch of the other's size differ from its logits
    here by more than float rounding. Both draw the same noise."""
    compared = _Compared(_allowed(backend))
    places = np.arange(min(_SEVERAL, backend.batch_size, other.batch_size))
    for each in (backend, other):
        compared.add(places, each.logits(_rows(places, _place_images(each))))
    if (found := compared.unexplained()) is not None:
        raise InputError(
            f"{name} gives an image other logits in a batch of {other.batch_size} than in one of "
            f"{backend.batch_size} ({found}): expected the same function at every batch size, or "
            "what one machine certifies another would not; export it with its batch fixed"
        )


def _repeats(backend: LogitsBackend, slots: int) -> bool:
    """Whether the same batch gives the same logits twice."""
    rows = _rows(np.arange(min(_SEVERAL, backend.batch_size)), slots)
    return np.array_equal(backend.logits(rows), backend.logits(rows), equal_nan=True)


def _refusal(name: str, found: str, *, repeats: bool) -> InputError:
    if not repeats:
        return InputError(
            f"{name} gives other logits when the same batch is run again ({found}): it draws "
            "random numbers or keeps a state, so its votes are no independent draws and no "
            "certificate would hold; remove the noise or dropout layer, or export it with "
            "model.eval()"
        )
    return InputError(
        f"{name} gives an image other logits in another place or company of a batch ({found}): its "
        "answer depends on the images beside it, so no certificate would hold; expected a "
        "classifier that treats each image alone, such as one exported with model.eval()"
    )


def _allowed(backend: LogitsBackend) -> float:
    return ROUNDING.get(str(backend.describe().get("precision", "fp32")), _ROUNDING_OF_OTHERS)


def _place_images(backend: LogitsBackend) -> int:
    """Two of little contrast, to be compared, for a batch of their like has a narrow range; a
    chequerboard and white, whose company has the widest. As many as the backend can hold; returns
    their number."""
    shape = backend.spec.shape
    random = np.random.default_rng(0).integers(96, 160, shape)
    board = np.indices(shape).sum(axis=0) % 2 * 255
    images = (np.full(shape, 128), random, board, np.full(shape, 255))[: backend.num_slots]
    for slot, image in enumerate(images):
        backend.place(slot, _IMAGE_ID, image.astype(np.uint8))
    return len(images)


def _batches(size: int) -> Iterator[_Places]:
    """What each batch holds, by place: the number of a compared row, or company."""
    if size == 1:
        yield from (np.array([row]) for row in _ALONE)
        return
    each = min(ROWS, size // 2)
    rng = np.random.default_rng(0)
    for number in range(min(_MOST_ROUNDS, -(-ROWS // each))):
        rows = np.arange(each) + number * each
        first = np.full(size, _QUIET)
        first[:each] = rows
        moved = np.full(size, _LOUD)
        # Not where it was before, whatever the permutation.
        moved[size - each :] = rng.permutation(rows)
        yield first
        yield moved
        yield moved[size - each :][: -(-each // 2)]
        yield first


def _rows(places: _Places, slots: int) -> Rows:
    """Row i is of image i mod 2, as quiet company is; loud company is of the other two. Samples of
    company are its own; where there are fewer slots, the images are those that there are."""
    number = np.arange(len(places))
    company = places < 0
    image = np.where(company, number % 2 + 2 * (places == _LOUD), places % 2)
    sample = np.where(company, ROWS * _MOST_ROUNDS + number, places)
    return Rows(
        (image % slots).astype(np.int32),
        sample.astype(np.uint32),
        np.full(len(places), Purpose.PARITY, np.uint32),
    )


class _Compared:
    """The first logits of every row, and how far later ones were from them."""

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.first: dict[int, _Logits] = {}
        self.bitwise = True
        self.again = False
        self.batches = 0
        self._scale = 0.0
        self._change = 0.0
        self._turned = 0

    @property
    def largest_change(self) -> float:
        """Of a logit, as a share of the largest; infinite where one was finite and is not."""
        return self._change / (self._scale or 1.0)

    def add(self, places: _Places, logits: _Logits) -> None:
        """Compare what a batch gave."""
        self.batches += 1
        for place in np.flatnonzero(places >= 0):
            found = logits[place]
            self._scale = max(self._scale, float(np.abs(found[np.isfinite(found)]).max(initial=0)))
            row = int(places[place])
            self.again |= row in self.first
            before = self.first.setdefault(row, found)
            if before.tobytes() != found.tobytes():
                self._differs(before, found)

    def _differs(self, before: _Logits, found: _Logits) -> None:
        finite = np.isfinite(before)
        if not np.array_equal(finite, np.isfinite(found)):
            self._change = np.inf
        if not finite.all():  # it votes for no class, before and now
            self.bitwise &= np.array_equal(before, found, equal_nan=True)
            return
        self.bitwise = False
        self._change = max(self._change, float(np.abs(before - found).max()))
        second, first = np.sort(before)[-2:]
        clear = first - second > 2 * self.allowed * self._scale
        self._turned += int(clear and before.argmax() != found.argmax())

    def unexplained(self) -> str | None:
        """What rounding does not explain, in words; None where it explains all."""
        if np.isinf(self._change):
            return "some are finite in one batch and not in another"
        if self.largest_change > self.allowed:
            return (
                f"up to {self.largest_change:.2g} of the largest apart, where float rounding "
                f"explains {self.allowed:g}"
            )
        return "another class leads, by more than float rounding" if self._turned else None
