"""What an array of numpy's says of itself, before any of it is read."""

import io
import math
import warnings
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from smoothcert.engine.base.memory import check_fits

# By the version of the format: bytes of the header's length, and who reads it. A third version is
# for fields with names, which no images have.
_VERSIONS = {1: (2, npy.read_array_header_1_0), 2: (4, npy.read_array_header_2_0)}
_LONGEST = 10_000
"""Of a header: what numpy itself takes from a stranger, but reads before it refuses."""


@dataclass(frozen=True)
class NpyHeader:
    """An array's shape and type; `start`: where its values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    @classmethod
    def read(cls, stream: IO[bytes]) -> "NpyHeader | None":
        """The header at a stream's position; None where there is none that numpy would take."""
        start = stream.read(8)
        if start[:6] != npy.MAGIC_PREFIX or len(start) < 8 or start[6] not in _VERSIONS:
            return None
        length, parse = _VERSIONS[start[6]]
        start += stream.read(length)
        size = int.from_bytes(start[8:], "little")
        if len(start) != 8 + length or size > _LONGEST:
            return None
        whole = start + stream.read(size)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a header that Python 2 wrote
                shape, _, dtype = parse(io.BytesIO(whole[8:]))
        # numpy's parser ends in many ways.
        except Exception:
            return None
        if any(side < 0 for side in shape):
            return None
        return cls(shape, dtype, len(whole))

    def check_fits(self, what: str) -> None:
        """Raise InputError where the values have no room in memory."""
        check_fits(self.nbytes, what, "a smaller array; save a part of it")
