"""Images of a log certified again: equal, or as another machine's rounding explains, or neither."""

import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.paths.base import Seen
from smoothcert.engine.statistics.paths.following import path_of
from smoothcert.engine.statistics.procedures import (
    Counts,
    Procedure,
    SampleRange,
    Trial,
)
from smoothcert.engine.statistics.table import TableCertify

FOREIGN_TOLERANCE = 0.002
"""On another processor or runtime, float rounding may turn a few votes: the share of samples by
which counts of them may differ there."""

LEAST_TOLERANCE = 3
"""Votes by which any count may differ there."""


def tolerated(n: int) -> int:
    """The votes of n by which another machine may differ."""
    return max(LEAST_TOLERANCE, math.ceil(FOREIGN_TOLERANCE * n))


@dataclass(frozen=True)
class Repeated:
    """A row and its image certified again.

    objection  where they differ: why no counts within the tolerance of those counted here lead to
               the row; None where some do
    """

    logged: Certificate
    again: Certificate
    objection: str | None

    @property
    def same(self) -> bool:
        """Whether the rows are equal in every column but the time."""
        return not self.differing

    @property
    def differing(self) -> list[str]:
        """The columns in which they are not."""
        old, new = self.logged.fields(), self.again.fields()
        return [name for name in old if name != "time" and old[name] != new[name]]

    def words(self) -> str:
        """What differs."""
        old, new = self.logged.fields(), self.again.fields()
        found = [f"{name} {old[name]} in the log and {new[name]}" for name in self.differing]
        return f"image {self.logged.index}: {', '.join(found)} when certified again"


def repeat(
    backend: Backend,
    procedure: Procedure,
    classes: int,
    images: Iterable[LabelledImage],
    logged: Mapping[int, Certificate],
) -> Iterator[Repeated]:
    """Certify the images again, each beside its row."""
    following = _Following(procedure, classes, logged)
    for again in Scheduler(backend, following).run(following.noticed(images)):
        # Not judged: the same end, of another image.
        objection = following.objections.get(again.index, "the image is another one")
        yield Repeated(logged[again.index], again, objection)


@dataclass
class _Following:
    """Trials of a procedure which, where they end otherwise than the log's did, go on
    to count the votes at the looks of the logged one, and judge it by them."""

    procedure: Procedure
    classes: int
    logged: Mapping[int, Certificate]
    objections: dict[int, str | None] = field(default_factory=dict)
    _taken: int = -1

    def noticed(self, images: Iterable[LabelledImage]) -> Iterator[LabelledImage]:
        """The images; a trial is for the one that was taken last (see Scheduler)."""
        for image in images:
            self._taken = image.index
            yield image

    def trial(self, label: int | None = None) -> Trial:
        """See Trials.trial."""
        return self._trial(self.logged[self._taken])

    def _trial(self, row: Certificate) -> Trial:
        decision = yield from self._own_trial(row)
        if replace(row, decision=decision).fields() != row.fields():
            path = path_of(self.procedure)
            counts = yield from _counted(path.ranges(row.decision))
            seen = Seen(self.classes, counts, tolerated)
            self.objections[row.index] = path.objection(row.decision, row.label, seen)
        return decision

    def _own_trial(self, row: Certificate) -> Trial:
        """A trial as the row's was: one that a budget ended is ended there, after a look at
        least."""
        if row.decision.undecided and isinstance(self.procedure, TableCertify):
            until = max(row.decision.drawn, self.procedure.table.looks[0])
            return self.procedure.trial(row.label, until)
        return self.procedure.trial(row.label)


def _counted(
    ranges: Iterable[SampleRange],
) -> Generator[SampleRange, Counts, dict[tuple[Purpose, int], Counts]]:
    """The counts of the first n samples, at the ends of ranges that follow each other."""
    found: dict[tuple[Purpose, int], Counts] = {}
    for wanted in ranges:
        counts = (yield wanted).copy()
        if wanted.first:
            counts += found[wanted.purpose, wanted.first]
        found[wanted.purpose, wanted.first + wanted.count] = counts
    return found
