"""How fast a network runs, and at which batch size: measured once, then remembered."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from smoothcert.engine.backends.base import Network
from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.files import recalled, remember

MOST = 1024
"""Rows: the largest batch that is measured."""

_LARGEST_INPUT_BYTES = 256 * 2**20
_BUDGET_SECONDS = 4.0
_WORTH_IT = 0.02  # a larger batch must be this much faster
_MISSED, _NEAR = 1.05, 1.3  # times the best: no gain; worth another look
_RUNS, _RUN_SECONDS = 3, 0.03
# What the loop around a network costs per batch: handing work to threads, scheduling, votes, and a
# cache that holds less of the network (.1 to .3 ms measured, benchmarks/NOTES.md).
_SECONDS_PER_BATCH = 2e-4


@dataclass(frozen=True)
class Speed:
    """What a network does at its best batch size, the loop's cost per batch included."""

    batch: int
    seconds_per_row: float


def _seconds_per_row(network: Network, batch: int) -> float:
    network.run()  # the first run allocates
    best, runs, begin = float("inf"), 0, time.perf_counter()
    while runs < _RUNS or time.perf_counter() - begin < _RUN_SECONDS:
        start = time.perf_counter()
        network.run()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return (best + _SECONDS_PER_BATCH) / batch


def measure_speed(
    build: Callable[[int], Network], num_pixels: int, batch: int | None = None, most: int = MOST
) -> Speed:
    """The smallest power of two whose speed is within 2 % of the best seen, within about 4 s.

    Sizes near the best are measured a second time, in the other order, and the better of both
    counts: other work on the machine must not decide.
    num_pixels  numbers of a row: those of its input, and (where they are many) its logits
    batch       the one size to measure, for a network that has no other
    most        the largest size to try, at least 1
    """
    if batch is not None:
        return Speed(batch, _seconds_per_row(build(batch), batch))
    begin = time.perf_counter()
    found: dict[int, float] = {}
    largest = max(1, min(MOST, most, _LARGEST_INPUT_BYTES // (4 * num_pixels)))
    misses, size = 0, min(8, largest)
    while size <= largest:
        seconds = found[size] = _seconds_per_row(build(size), size)
        misses = misses + 1 if seconds > _MISSED * min(found.values()) else 0
        # Two sizes without a gain, or a next step (8 runs' worth) beyond the budget: enough.
        if misses == 2 or _spent(begin) + 8 * seconds * size > _BUDGET_SECONDS:
            break
        size *= 2
    fastest = min(found.values())
    for size in sorted(found, reverse=True):
        if found[size] < _NEAR * fastest and _spent(begin) < _BUDGET_SECONDS:
            found[size] = min(found[size], _seconds_per_row(build(size), size))
    fastest = min(found.values())
    chosen = min(size for size in found if found[size] * (1 - _WORTH_IT) <= fastest)
    return Speed(chosen, found[chosen])


def _spent(begin: float) -> float:
    return time.perf_counter() - begin


def remembered_speed(
    identity: dict[str, object],
    build: Callable[[int], Network],
    num_pixels: int,
    batch: int | None = None,
    most: int = MOST,
) -> Speed:
    """measure_speed, cached by `identity`: model digest, runtime, precision, threads, processor."""
    remembered = _read(recalled("batch", identity), batch, min(MOST, most))
    if remembered:
        return remembered
    with doing("measuring batch sizes (kept in the cache)"):
        speed = measure_speed(build, num_pixels, batch, most)
    remember("batch", identity, json.dumps({**identity, **asdict(speed)}).encode())
    return speed


def _read(content: bytes | None, batch: int | None, most: int) -> Speed | None:
    """The cached value, or None where it is absent or damaged, or says what was never
    measured."""
    if content is None:
        return None
    try:
        entry = json.loads(content)
        speed = Speed(int(entry["batch"]), float(entry["seconds_per_row"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    possible = speed.batch == batch if batch else 1 <= speed.batch <= max(1, most)
    return speed if possible and 0 < speed.seconds_per_row < math.inf else None
