"""Images decoded ahead in a background thread, so that the device does not wait for a JPEG."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from smoothcert.engine.sources.base import (
    UNREADABLE,
    FailedImage,
    ImageSource,
    LabelledImage,
    reason_of,
)


def load(source: ImageSource, index: int) -> LabelledImage:
    """An image of a source with its label; raises one of UNREADABLE where it cannot be read."""
    return LabelledImage(index, source.label(index), source.image(index))


def decoded_ahead(
    source: ImageSource,
    indices: Iterable[int],
    ahead: int = 8,
    on_failure: Callable[[FailedImage], None] | None = None,
) -> Generator[LabelledImage, None, None]:
    """The images of `indices` in order, up to `ahead` of them decoded before they are asked for.

    An image that cannot be read is left out and told to on_failure; without that, its error is
    raised when its turn comes.
    """

    remaining = iter(indices)
    executor = ThreadPoolExecutor(1, thread_name_prefix="smoothcert-decode")
    pending: deque[tuple[int, Future[LabelledImage]]] = deque()

    def submit(count: int) -> None:
        for index in islice(remaining, count):
            pending.append((index, executor.submit(load, source, index)))

    try:
        submit(ahead)
        while pending:
            index, future = pending.popleft()
            try:
                image = future.result()
            except UNREADABLE as error:
                if on_failure is None:
                    raise
                on_failure(FailedImage(index, reason_of(error)))
                continue
            finally:
                submit(1)
            yield image
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
