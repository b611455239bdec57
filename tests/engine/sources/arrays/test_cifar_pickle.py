import os
import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.arrays.cifar_pickle import load

DATA = np.random.default_rng(0).integers(0, 256, (4, 3072)).astype(np.uint8)


def python2_batch(data: npt.NDArray[np.uint8], labels: list[int]) -> bytes:
    """A batch as Python 2 pickled it, opcode by opcode: strings are bytes (U, T), and the array is
    numpy.core.multiarray._reconstruct(ndarray, (0,), 'b') with a state."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def integer(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    shape = integer(data.shape[0]) + integer(data.shape[1]) + b"\x86"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text(b"|") + b"NNN" + integer(-1) + integer(-1) + b"K\x00tb"
    content = b"T" + struct.pack("<i", data.size) + data.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b")
    array += b"\x87R(K\x01" + shape + dtype + b"\x89" + content + b"tb"
    label_list = b"](" + b"".join(map(integer, labels)) + b"e"
    return (
        b"\x80\x02}(" + text(b"batch_label") + text(b"testing batch 1 of 1")
        + text(b"labels") + label_list + text(b"data") + array
        + text(b"filenames") + b"](" + text(b"a.png") + text(b"\xe9.png") + b"eu."
    )  # fmt: skip


def write(folder: Path, content: bytes) -> Path:
    file = folder / "test_batch"
    file.write_bytes(content)
    return file


def test_a_batch_of_python_2(tmp_path: Path) -> None:
    content = python2_batch(DATA, [3, 8, 8, 0])
    reference = pickle.loads(content, encoding="bytes")  # the bytes above are ours, and harmless
    np.testing.assert_array_equal(reference[b"data"], DATA)
    batch = load(write(tmp_path, content))
    assert sorted(batch) == ["batch_label", "data", "filenames", "labels"]
    np.testing.assert_array_equal(batch["data"], DATA)
    assert batch["data"].dtype == np.uint8
    assert batch["labels"] == [3, 8, 8, 0]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_batches_of_python_3(tmp_path: Path, protocol: int, dtype: str, order: Any) -> None:
    array = np.array(DATA[:, :6], dtype=dtype, order=order)
    content = pickle.dumps({"data": array, b"labels": [1, 2]}, protocol=protocol)
    batch = load(write(tmp_path, content))
    np.testing.assert_array_equal(batch["data"], array)
    assert batch["labels"] == [1, 2]


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["value", "key", "labels", "whole"])
def test_a_command_is_refused_and_not_run(tmp_path: Path, protocol: int, place: str) -> None:
    trap = Call(os.system, f"touch {tmp_path / 'sprung'}")
    content: Any = {
        "value": {"data": trap},
        "key": {trap: DATA},
        "labels": {"data": DATA, "labels": [1, trap]},
        "whole": trap,
    }[place]
    file = write(tmp_path, pickle.dumps(content, protocol=protocol))
    with pytest.raises(InputError, match=r"test_batch: its pickle asks for (posix|nt)\.system"):
        load(file)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(file.read_bytes())  # the trap does work
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "name",
    [
        b"builtins\neval", b"builtins\ngetattr", b"numpy\nload", b"numpy\nfromfile",
        b"numpy.core.multiarray\nscalar", b"_codecs\ndecode", b"subprocess\nPopen",
        b"collections\nOrderedDict", b"copyreg\n_reconstructor", b"numpy\nndarray.tofile",
    ],
)  # fmt: skip
def test_every_other_name_is_refused(tmp_path: Path, name: bytes) -> None:
    dotted = name.decode().replace("\n", ".")
    with pytest.raises(InputError, match=rf"asks for {dotted}, which was not run"):
        load(write(tmp_path, b"\x80\x02c" + name + b"\n."))


def test_names_reached_by_a_stack_global_are_refused(tmp_path: Path) -> None:
    content = b"\x80\x04\x8c\x07_codecs\x8c\x12encode.__globals__\x93."
    with pytest.raises(InputError, match=r"asks for _codecs\.encode\.__globals__"):
        load(write(tmp_path, content))


class PickledArray:
    """Pickles as numpy pickles an array, with any type and content."""

    def __init__(self, dtype: Any, shape: tuple[int, ...], content: Any) -> None:
        self.state = 1, shape, dtype, False, content

    def __reduce__(self) -> Any:
        return *np.empty(0, np.uint8).__reduce__()[:2], self.state


@pytest.mark.parametrize(
    ("dtype", "shape", "content", "message"),
    [
        (np.dtype(object), (1,), [1], "pickles an array of object: expected integers"),
        (np.dtype("f8"), (1,), bytes(8), "pickles an array of float64: expected integers"),
        (np.dtype("V8"), (1,), bytes(8), "expected integers"),
        (np.dtype("u1"), (4,), bytes(3), "cannot be unpickled"),
        (np.dtype("u1"), (1 << 62, 4), bytes(3), "cannot be unpickled"),
        (np.dtype("u1"), (3,), [1, 2, 3], "not made of a type and bytes"),
        ("u1", (3,), bytes(3), "not made of a type and bytes"),
    ],
)
def test_arrays_of_anything_but_whole_integers_are_refused(
    tmp_path: Path, dtype: Any, shape: tuple[int, ...], content: Any, message: str
) -> None:
    file = write(tmp_path, pickle.dumps({"data": PickledArray(dtype, shape, content)}, protocol=2))
    with pytest.raises(InputError, match=rf"test_batch: .*{message}"):
        load(file)


def test_one_pickle_leaves_no_mark_on_the_next(tmp_path: Path) -> None:
    good = pickle.dumps({"data": DATA}, protocol=2)
    # BUILD on a function sets its attributes: here the encoding that a call leaves out.
    for name in (b"_codecs\nencode", b"numpy\ndtype", b"numpy.core.multiarray\n_reconstruct"):
        state = b"N}\x8c\x0c__defaults__)s\x86"
        with pytest.raises(InputError):
            load(write(tmp_path, b"\x80\x04c" + name + b"\n" + state + b"b."))
        np.testing.assert_array_equal(load(write(tmp_path, good))["data"], DATA)


def test_damaged_pickles_are_named(tmp_path: Path) -> None:
    whole = python2_batch(DATA, [3, 8, 8, 0])
    for content in (b"", b"text", whole[:100], whole[:-1], whole[5:], b"\x80\x02]."):
        with pytest.raises(InputError, match="test_batch: ") as caught:
            load(write(tmp_path, content))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00\x00\x1b\ntR.",
         r"pickles text as '\x00\x1b\n': expected"),
        (b"S'\\d'\n.", "pickles a bytes"),
        (b"(S'a'\nS'\\d'\nd", "cannot be unpickled"),
    ],
    ids=["encoding", "escape", "ends"],
)  # fmt: skip
def test_what_a_pickle_holds_is_said_in_a_printable_line(
    content: bytes, words: str, tmp_path: Path
) -> None:
    """And nothing is said by Python of escapes that it is about to give up."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(InputError) as refused:
            load(write(tmp_path, content))
    assert words in str(refused.value)
    assert str(refused.value).isprintable()
    assert not warned
