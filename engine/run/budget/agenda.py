"""Which image gets the next samples: the one for which they decide most radii."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.run.budget.amount import Meter
from smoothcert.engine.sources.base import (
    UNREADABLE,
    FailedImage,
    ImageSource,
    LabelledImage,
    reason_of,
)
from smoothcert.engine.sources.pixels import pixels_digest
from smoothcert.engine.sources.reading import decoded_ahead, load
from smoothcert.engine.statistics.procedures import Trial
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.table_state import TableState
from smoothcert.engine.statistics.worth import worth


@dataclass
class _Image:
    """An image in work: its table, and what its steps so far have told."""

    state: TableState
    certificate: Certificate | None = None


class Agenda:
    """The images of a run, step by step: an iterator for the Scheduler, and its trials.

    A step is the samples up to an image's next look. An image is handed out again once its step is
    back (`returned`), while the meter has the samples of its next one: so the iterator may end and
    go on later. `begun` are tables that an earlier session left, by image.

    The trial that the Scheduler asks for is that of the image that it took last.
    """

    def __init__(
        self,
        procedure: TableCertify,
        source: ImageSource,
        indices: Sequence[int],
        begun: Mapping[int, TableState],
        meter: Meter,
    ) -> None:
        self._procedure = procedure
        self._source = source
        self._meter = meter
        self._images = {
            i: _Image(begun[i] if i in begun else procedure.state(source.label(i))) for i in indices
        }
        self._waiting = [(-worth(self._images[i].state), i) for i in indices if i in begun]
        heapq.heapify(self._waiting)
        self._new = decoded_ahead(
            source, [i for i in indices if i not in begun], on_failure=self._failed
        )
        self._taken = -1
        self.failed: list[FailedImage] = []

    # ----- for the Scheduler

    def __iter__(self) -> Iterator[LabelledImage]:
        return self

    def __next__(self) -> LabelledImage:
        """An image to draw samples of; StopIteration while there is none."""
        image = self._next_new() or self._next_waiting()
        if image is None:
            raise StopIteration
        self._taken = image.index
        return image

    def trial(self, label: int | None = None) -> Trial:
        """See Trials.trial: one step."""
        state = self._images[self._taken].state
        state.take((yield state.wanted))
        return self._procedure.decision(state)

    # ----- for the run

    def returned(self, step: Certificate) -> Certificate | None:
        """Take what a step has told; the image's own certificate where it was the last one."""
        image = self._images[step.index]
        before, state = image.certificate, image.state
        if before is not None:
            step = replace(
                step,
                seconds=before.seconds + step.seconds,
                repeated=before.repeated + step.repeated,
                turned=before.turned + step.turned,
            )
        image.certificate = step
        looks = state.table.looks
        self._meter.end(state.drawn - (looks[state.looked - 2] if state.looked > 1 else 0))
        if not state.ended:
            heapq.heappush(self._waiting, (-worth(state), step.index))
            return None
        del self._images[step.index]
        return step

    def left(self) -> Iterator[Certificate | FailedImage]:
        """The images that are not decided, in their order, with what is certified of them."""
        self.close()
        for index in sorted(self._images):
            image = self._images[index]
            decision = self._procedure.decision(image.state)
            found = image.certificate
            if found is None:  # no step of this session
                loaded = self._load(index)
                if loaded is None:
                    yield self.failed.pop()
                    continue
                digest = pixels_digest(loaded.pixels)
                found = Certificate(index, loaded.label, decision, 0.0, digest)
            yield replace(found, decision=decision)

    def open_tables(self) -> dict[int, TableState]:
        """The tables of images that have samples and are not decided, by image."""
        return {i: each.state for i, each in self._images.items() if each.state.looked}

    def close(self) -> None:
        """Decode ahead no more: a source may be read by one thread at a time."""
        self._new.close()

    def _next_new(self) -> LabelledImage | None:
        first = self._procedure.table.looks[0]
        if not self._meter.begin(first):
            self.close()
            return None
        image = next(self._new, None)
        if image is None:
            self._meter.take_back(first)
        return image

    def _next_waiting(self) -> LabelledImage | None:
        while self._waiting:
            _, index = heapq.heappop(self._waiting)
            samples = self._images[index].state.wanted.count
            # A budget that has not the samples of a step now will not have them later.
            if self._meter.begin(samples):
                image = self._load(index)
                if image is not None:
                    return image
                self._meter.take_back(samples)
        return None

    def _load(self, index: int) -> LabelledImage | None:
        try:
            return load(self._source, index)
        except UNREADABLE as error:
            self._failed(FailedImage(index, reason_of(error)))
            return None

    def _failed(self, image: FailedImage) -> None:
        self.failed.append(image)
        self._images.pop(image.index, None)
