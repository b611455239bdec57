"""Boundaries kept in the user's cache, and what of them is believed.

An entry is used where its digest is that of these settings, this code and its own numbers: a
damaged one is not, nor one of other settings or of another version. Whoever forges the digest too
meets the check of `crossing`, whose method shares nothing with the recursion that made the table.
"""

import contextlib
import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np
from scipy import special

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import cache_folder, write_atomically
from smoothcert.engine.statistics.sequential import Floats, Ints

# Terms below this are left out of `crossing`: a crossing probability is at least 1e-12 or so.
_NEGLIGIBLE = 1e-20


def kept(key: str, code: str, shape: tuple[int, int]) -> Ints | None:
    """The boundaries, int64 [shape], kept under `key` by the code of digest `code`; None where
    there are none, or not these."""
    try:
        with np.load(cache_folder("boundaries") / f"{key}.npz", allow_pickle=False) as entry:
            needed: Ints = entry["needed"]
            digest = str(entry["digest"])
    except (OSError, InputError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    if needed.dtype != np.int64 or needed.shape != shape or np.any(np.diff(needed, axis=1) < 0):
        return None
    return needed if digest == _digest(key, code, needed) else None


def keep(key: str, code: str, needed: Ints) -> None:
    """Keep boundaries for `kept`."""
    content = io.BytesIO()
    np.savez_compressed(content, needed=needed, digest=np.array(_digest(key, code, needed)))
    # A table is quickly computed again: no cache is no reason to stop.
    with contextlib.suppress(OSError, InputError):
        write_atomically(cache_folder("boundaries") / f"{key}.npz", content.getvalue())


def _digest(key: str, code: str, needed: Ints) -> str:
    text = f"{key} {code} {needed.shape} ".encode()
    return hashlib.sha256(text + np.ascontiguousarray(needed, "<i8").tobytes()).hexdigest()


def crossing(q: float, looks: Sequence[int], needed: Ints) -> float:
    """P[a class of probability 1 - q has needed[j] votes at some look j], 0 < q < 1, by plain
    convolution: relative error below 1e-6, and at most 1e-15 too small.

    sequential.crossing_probability is exact and faster, once numba has loaded it, which takes
    longer than everything here.
    """
    state, low, crossed, previous = np.ones(1), 0, 0.0, 0
    for look, votes in zip(looks, needed.tolist(), strict=True):
        first, window = _binomial(look - previous, q)
        previous = look
        state = np.convolve(state, window)
        low += first  # state[i] is the probability of low + i failures
        enough = max(0, min(len(state), look - votes - low + 1))
        crossed += float(state[:enough].sum())
        inside = enough + np.flatnonzero(state[enough:] > _NEGLIGIBLE)
        if not inside.size:
            break
        state = state[inside[0] : inside[-1] + 1]
        low += int(inside[0])
    return crossed


def _binomial(n: int, q: float) -> tuple[int, Floats]:
    """The part of Bin(n, q) that is not negligible: its first value and its probabilities."""
    reach = 10.0 * np.sqrt(n * q * (1.0 - q)) + 40.0
    low, high = max(0, int(n * q - reach)), min(n, int(n * q + reach))
    k = np.arange(low, high + 1, dtype=np.float64)
    log = special.xlogy(k, q) + special.xlog1py(n - k, -q)
    log += special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
    probabilities: Floats = np.exp(log)
    inside = np.flatnonzero(probabilities > _NEGLIGIBLE)
    return low + int(inside[0]), probabilities[inside[0] : inside[-1] + 1]
