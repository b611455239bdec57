import io
import struct

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.arrays.npy_header import NpyHeader


def saved(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def header_of(content: bytes) -> NpyHeader | None:
    return NpyHeader.read(io.BytesIO(content))


@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 4), (2, 3, 4)])
def test_an_array_says_its_shape_type_and_place(shape: tuple[int, ...]) -> None:
    content = saved(np.zeros(shape, np.float16))
    header = header_of(content)
    assert header is not None
    assert header.shape == shape
    assert header.dtype == np.dtype(np.float16)
    assert header.start + header.nbytes == len(content)


def test_a_header_of_another_version_or_of_none() -> None:
    content = saved(np.zeros(3))
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (3,)}
    np.lib.format.write_array_header_2_0(stream, header)
    found = header_of(stream.getvalue())
    assert found is not None
    assert found.nbytes == 24
    for damaged in (b"", content[:7], content[:9], content[:30], b"PK" + content, content[:6]):
        assert header_of(damaged) is None
    for shape in ("(-1,)", "'a'", "(1e9,)", "(" * 500):
        text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        assert header_of(content[:8] + struct.pack("<H", len(text)) + text) is None


def test_a_header_is_not_read_beyond_what_numpy_takes() -> None:
    stream = io.BytesIO(b"\x93NUMPY\2\0" + struct.pack("<I", 2**30) + b" " * 50_000)
    assert NpyHeader.read(stream) is None
    assert stream.tell() == 12


def test_what_has_no_room_is_refused_and_named() -> None:
    with pytest.raises(InputError, match=r"x needs 80,000\.0 GB"):
        NpyHeader((10**13,), np.dtype("f8"), 128).check_fits("x")
