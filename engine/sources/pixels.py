"""Digests of pixels: what pins an image, where a source's own digest knows names and sizes alone.

64 bits find every accident, and every image that was replaced without its row. Whoever made an
image before it was certified could make a second one of the same digest with it (about 2^32 work).
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.sources.base import UNREADABLE, FailedImage, ImageSource, reason_of
from smoothcert.engine.sources.encoded import EncodedSource

_AHEAD = 4  # images of a thread that wait, encoded


def pixels_digest(pixels: npt.NDArray[np.uint8]) -> str:
    """The BLAKE2b of 8 bytes, in hex, of an image uint8 [C, H, W] as a model gets it."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class DigestedImage:
    """An image's index, and the digest of its pixels as the source gives them now."""

    index: int
    digest: str


def read_digests(
    source: ImageSource, indices: Iterable[int]
) -> Iterator[DigestedImage | FailedImage]:
    """What every image of `indices` is now, in order.

    Costs what decoding does: 1.1 s per thousand photographs of 500x375 on two cores (1.8 on one),
    and 0.01 s per thousand 32x32 images of an array.
    """
    threads = usable_cores()
    remaining = iter(indices)
    pending: deque[tuple[int, Future[npt.NDArray[np.uint8]]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="smoothcert-pixels") as executor:
        try:
            while True:
                for index in islice(remaining, _AHEAD * threads - len(pending)):
                    pending.append((index, _read(source, index, executor)))
                if not pending:
                    return
                index, future = pending.popleft()
                try:
                    pixels = future.result()
                except UNREADABLE as error:
                    yield FailedImage(index, reason_of(error))
                else:
                    yield DigestedImage(index, pixels_digest(pixels))
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _read(
    source: ImageSource, index: int, executor: ThreadPoolExecutor
) -> Future[npt.NDArray[np.uint8]]:
    """The image. A source is read in one thread alone, here; decoding, which takes the time, is the
    executor's: Pillow lets other threads run meanwhile."""
    try:
        if isinstance(source, EncodedSource):
            return executor.submit(source.decode, *source.encoded(index))
        read: Future[npt.NDArray[np.uint8]] = Future()
        read.set_result(source.image(index))
    except UNREADABLE as error:
        read = Future()
        read.set_exception(error)
    return read
