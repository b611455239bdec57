"""Who watches a run: the progress line, JSON lines on stderr, Prometheus metrics."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from smoothcert.cli.shell.printing import echo, is_quiet
from smoothcert.engine.base.wording import printable, printable_json
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.run.certification import Watcher, Watchers
from smoothcert.engine.sources.base import FailedImage
from smoothcert.progress import RunProgress

_PROGRESS_SECONDS = 10.0


class JsonLog:
    """A Watcher that writes one JSON object per event on stderr.

    Each has `time` (UTC) and `event`: inferred, selecting, begin, image, failed, progress (every
    ten seconds), worker, worker lost; of several sigmas also log begun and log finished.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._told = self._start = time.monotonic()

    def begin(self, images: int, done: int, samples: int) -> None:
        """See Watcher.begin."""
        self._samples = 0
        self._told = self._start = time.monotonic()
        self.event("begin", {"images": images, "done": done, "samples_at_most": samples})

    def batch(self, samples: int) -> None:
        """See Watcher.batch."""
        self._samples += samples
        now = time.monotonic()
        if now - self._told > _PROGRESS_SECONDS:
            self._told = now
            rate = self._samples / (now - self._start)
            self.event("progress", {"samples": self._samples, "samples_per_second": round(rate, 1)})

    def image(self, certificate: Certificate, unused: int) -> None:
        """See Watcher.image."""
        details = {
            "image": certificate.index,
            "label": certificate.label,
            "predict": certificate.decision.predict,
            "radius": certificate.decision.radius,
            "samples": certificate.decision.drawn,
        }
        self.event("image", details)

    def failed(self, image: FailedImage, unused: int) -> None:
        """See Watcher.failed."""
        self.event("failed", {"image": image.index, "reason": image.reason})

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": name}
        print(printable_json(line | details), file=sys.stderr, flush=True)


class Sayings(Watchers):
    """A Watcher that says on stdout what was inferred of a model or a source."""

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event."""
        if name == "inferred":
            echo(printable(f"{details['of']}: {details['what']}"))


class Finished(Watchers):
    """A Watcher that is told when one of several logs is finished; `say` takes its name, and how
    many images, images certified, samples and seconds."""

    def __init__(self, say: Callable[[str, int, int, int, float], None]) -> None:
        super().__init__()
        self._say = say

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event."""
        if name == "log finished":
            known = ("log", "images", "certified", "samples", "seconds")
            self._say(*(details[key] for key in known))


@contextmanager
def watching(log_json: bool, metrics_port: int | None, metrics_host: str) -> Iterator[Watchers]:
    """What the options ask for; the progress line gives way to JSON lines."""
    with ExitStack() as stack:
        watchers: list[Watcher] = [Sayings()]
        if log_json:
            watchers.append(JsonLog())
        elif not is_quiet():
            watchers.append(stack.enter_context(RunProgress()))
        if metrics_port is not None:
            from smoothcert.cli.metrics import Metrics

            watchers.append(stack.enter_context(Metrics(metrics_port, metrics_host)))
        yield Watchers(watchers)
