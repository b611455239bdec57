"""Images decoded ahead in a background thread, so that the device does not wait for a JPEG."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from smoothcert.engine.scheduler import LabelledImage
from smoothcert.engine.sources.base import ImageSource


def decoded_ahead(
    source: ImageSource, indices: Iterable[int], ahead: int = 8
) -> Generator[LabelledImage, None, None]:
    """The images of `indices` in order, up to `ahead` of them decoded before they are asked for.

    An error in decoding is raised when its image's turn comes.
    """

    def load(index: int) -> LabelledImage:
        return LabelledImage(index, source.label(index), source.image(index))

    remaining = iter(indices)
    executor = ThreadPoolExecutor(1, thread_name_prefix="smoothcert-decode")
    try:
        pending: deque[Future[LabelledImage]] = deque(
            executor.submit(load, index) for index in islice(remaining, ahead)
        )
        while pending:
            image = pending.popleft().result()
            pending.extend(executor.submit(load, index) for index in islice(remaining, 1))
            yield image
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
