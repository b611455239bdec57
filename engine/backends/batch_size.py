"""The batch size a network runs fastest at: measured once, then remembered."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from smoothcert.engine.backends.base import Network
from smoothcert.engine.cache import cache_folder, write_atomically

_LARGEST = 1024
_LARGEST_INPUT_BYTES = 256 * 2**20
_BUDGET_SECONDS = 4.0
_WORTH_IT = 0.02  # a larger batch must be this much faster


def _seconds_per_row(network: Network, batch: int) -> float:
    network.run()  # the first run allocates
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        network.run()
        best = min(best, time.perf_counter() - start)
    return best / batch


def measure_batch_size(build: Callable[[int], Network], num_pixels: int) -> int:
    """The smallest power of two whose speed is within 2 % of the best seen, within about 4 s."""
    begin = time.perf_counter()
    chosen, chosen_time, fastest = 1, float("inf"), float("inf")
    misses, batch = 0, 8
    while batch <= _LARGEST and batch * num_pixels * 4 <= _LARGEST_INPUT_BYTES:
        seconds = _seconds_per_row(build(batch), batch)
        misses = misses + 1 if seconds > fastest else 0
        fastest = min(fastest, seconds)
        if seconds < chosen_time * (1 - _WORTH_IT):
            chosen, chosen_time = batch, seconds
        # Two sizes without a gain, or a next step (8 runs' worth) beyond the budget: enough.
        if misses == 2 or time.perf_counter() - begin + 8 * seconds * batch > _BUDGET_SECONDS:
            break
        batch *= 2
    return chosen


def remembered_batch_size(
    identity: dict[str, object], build: Callable[[int], Network], num_pixels: int
) -> int:
    """measure_batch_size, cached by `identity` (model digest, runtime, threads, processor)."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    path = cache_folder("batch") / f"{digest[:32]}.json"
    remembered = _read(path)
    if remembered:
        return remembered
    batch = measure_batch_size(build, num_pixels)
    write_atomically(path, json.dumps({**identity, "batch": batch}).encode())
    return batch


def _read(path: Path) -> int:
    """The cached value, or 0 where the file is absent or damaged."""
    try:
        batch = int(json.loads(path.read_bytes())["batch"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return batch if 1 <= batch <= _LARGEST else 0
