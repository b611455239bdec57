"""The images that wait at a worker: what its scheduler pulls from while more arrive."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import one_line
from smoothcert.engine.sources.base import UNREADABLE, FailedImage, LabelledImage


@dataclass(frozen=True)
class Assignment:
    """An image to certify; without pixels, it is to be read from the source."""

    index: int
    label: int = 0
    pixels: npt.NDArray[np.uint8] | None = None


class ImageFeed:
    """An iterator of images that may run dry and go on: StopIteration means none at present.

    read    reads an image from the source, in a thread of its own
    changed  notified, under its lock, whenever something about the feed changes
    """

    def __init__(self, read: Callable[[int], LabelledImage], changed: threading.Condition) -> None:
        self._read = read
        self._changed = changed
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="smoothcert-decode")
        self._waiting: deque[tuple[int, Future[LabelledImage]]] = deque()
        self._closed = False
        self.accepted = 0
        self.starved = False
        self.failed: list[FailedImage] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, assignments: Iterable[Assignment]) -> None:
        """Take images in, to be handed out in this order."""
        with self._changed:
            for assignment in assignments:
                self._waiting.append((assignment.index, self._image(assignment)))
                self.accepted += 1
            self._changed.notify_all()

    def _image(self, assignment: Assignment) -> Future[LabelledImage]:
        if assignment.pixels is None:
            future = self._reader.submit(self._read, assignment.index)
            future.add_done_callback(self._notify)
            return future
        ready: Future[LabelledImage] = Future()
        # Ray hands out read-only views of shared memory; the copy lets go of it.
        pixels = np.array(assignment.pixels)
        ready.set_result(LabelledImage(assignment.index, assignment.label, pixels))
        return ready

    def _notify(self, future: Future[LabelledImage]) -> None:
        with self._changed:
            self._changed.notify_all()

    def take_back(self, count: int) -> list[int]:
        """Give up to `count` images away again, the last ones first; returns their indices."""
        with self._changed:
            taken = [self._waiting.pop() for _ in range(min(count, len(self._waiting)))]
            self._changed.notify_all()
        for _, future in taken:
            future.cancel()
        return [index for index, _ in taken]

    def wait(self) -> bool:
        """Wait until an image can be pulled; False once the feed is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._ready())
            return not self._closed

    def close(self) -> None:
        """End the feed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._reader.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> "ImageFeed":
        return self

    def __next__(self) -> LabelledImage:
        with self._changed:
            if self._ready():
                _, future = self._waiting.popleft()
                self._changed.notify_all()
                return future.result()
            self.starved = True
            raise StopIteration

    def _ready(self) -> bool:
        """Whether an image is at hand; images that could not be read are put aside on the way."""
        while self._waiting and self._waiting[0][1].done():
            index, future = self._waiting[0]
            error = future.exception()
            if error is None:
                return True
            if not isinstance(error, UNREADABLE):
                raise error
            self._waiting.popleft()
            self.failed.append(FailedImage(index, one_line(error, None)))
            self._changed.notify_all()
        return False
