"""The device header, as an ordinary C++ compiler builds it, gives Random123's known answers."""

import ctypes
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

ENTRY = """
#include "philox.cuh"
extern "C" void philox(const unsigned int* c, const unsigned int* k, unsigned int* out) {
  const auto words = smoothcert::philox4x32_10(c[0], c[1], c[2], c[3], k[0], k[1]);
  for (int i = 0; i < 4; ++i) out[i] = words.word[i];
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++, to build the device header for the CPU")
    folder = tmp_path_factory.mktemp("philox")
    header = resources.files("smoothcert.cupy_kernels") / "philox.cuh"
    (folder / "philox.cuh").write_text(header.read_text(encoding="utf-8"))
    (folder / "entry.cpp").write_text(ENTRY)
    flags = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
    built = Path(folder / "philox.so")
    subprocess.run(
        [compiler, *flags, "-shared", "-fPIC", folder / "entry.cpp", "-o", built], check=True
    )
    return ctypes.CDLL(str(built))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers(
    library: ctypes.CDLL,
    counter: tuple[int, ...],
    key: tuple[int, ...],
    expected: tuple[int, ...],
) -> None:
    out = (ctypes.c_uint32 * 4)()
    library.philox((ctypes.c_uint32 * 4)(*counter), (ctypes.c_uint32 * 2)(*key), out)
    assert tuple(out) == expected
