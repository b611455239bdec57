"""A trial that is told of any votes one likes, and how it ends."""

import contextlib
from collections.abc import Callable, Generator, Mapping

from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.procedures import Counts, Decision, SampleRange, Trial


def decided(trial: Trial, votes: Callable[[SampleRange], Counts]) -> Decision:
    """The decision of a trial that is sent `votes` of every range it asks for."""
    found: list[Decision] = []

    def whole() -> Generator[SampleRange, Counts, None]:
        found.append((yield from trial))

    run = whole()
    wanted = next(run)
    with contextlib.suppress(StopIteration):
        while True:
            wanted = run.send(votes(wanted))
    return found[0]


def of_prefixes(prefixes: Mapping[tuple[Purpose, int], Counts]) -> Callable[[SampleRange], Counts]:
    """The votes of ranges, from those of the first n samples of a purpose, by (purpose, n)."""

    def votes(wanted: SampleRange) -> Counts:
        until = prefixes[wanted.purpose, wanted.first + wanted.count]
        return until - (prefixes[wanted.purpose, wanted.first] if wanted.first else 0)

    return votes
