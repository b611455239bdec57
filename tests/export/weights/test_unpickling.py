"""Pickles: what scripts leave is kept, nothing of a file runs."""

import argparse
import collections
import datetime
import pickle
import types
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from pickles import call, legacy, text

from smoothcert.engine.base.errors import InputError
from smoothcert.export.weights.content import read_content
from smoothcert.export.weights.unpickling import array_of, number_of, stand_ins

WEIGHT = torch.arange(6.0).reshape(2, 3)

INERT: dict[str, Any] = {
    "Namespace": argparse.Namespace(lr=0.1, out=Path("runs"), more=argparse.Namespace(a=1)),
    "SimpleNamespace": types.SimpleNamespace(lr=0.1),
    "paths": [Path("a/b"), PurePosixPath("c")],
    "numpy scalars": [np.float64(93.1), np.float32(1), np.int64(3), np.bool_(True)],
    "numpy arrays": [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))],
    "numpy objects": np.array([{"a": 1}, None], dtype=object),
    "numpy dtype": np.dtype("float32"),
    "numpy type": np.float32,
    "dates": [datetime.datetime(2024, 1, 2), datetime.date(2024, 1, 2), datetime.timedelta(1),
              datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)],
    "defaultdict": collections.defaultdict(list, {"a": [1]}),
    "nested defaultdict": collections.defaultdict(float, {"a": collections.defaultdict(int, b=2)}),
    "deque": collections.deque([1, 2], maxlen=5),
    "OrderedDict": collections.OrderedDict(a=1),
    "Counter": collections.Counter("aab"),
    "types": [int, str, dict, slice(1, 2), frozenset({1}), {1, 2}],
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("name", INERT)
def test_what_scripts_leave_beside_weights_is_read(name: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    content = {"state_dict": {"w": WEIGHT}, "args": INERT[name]}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    read = read_content(path)
    assert torch.equal(read["state_dict"]["w"], WEIGHT)
    assert list(read) == ["state_dict", "args"]


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    content = {
        "scalar": np.float64(93.1),
        "count": np.int64(10),
        "truth": np.bool_(True),
        "rows": np.arange(6, dtype=np.float32).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "swapped": np.arange(3, dtype=">i4"),
        "objects": np.array([None], dtype=object),
        "text": "as it is",
    }
    torch.save(content, tmp_path / "x.pth")
    read = {key: number_of(value) for key, value in read_content(tmp_path / "x.pth").items()}
    assert read["scalar"] == 93.1
    assert (read["count"], read["truth"], read["text"]) == (10, True, "as it is")
    assert read["rows"] == [[0, 1, 2], [3, 4, 5]]
    assert read["columns"] == [[0, 1, 2], [3, 4, 5]]
    assert read["swapped"] == [0, 1, 2]
    assert array_of(read["objects"]) is None


@pytest.mark.parametrize("state", [(3,), {1: 2}, 5, "<"])
def test_a_dtype_of_any_state_is_no_number(state: Any) -> None:
    kinds = {kind.__qualname__: kind for kind in stand_ins()}
    dtype = kinds["dtype"]("f8")
    dtype.state = state
    assert array_of(kinds["scalar"](dtype, bytes(8))) is None


def test_an_array_as_large_as_weights_is_no_list(tmp_path: Path) -> None:
    torch.save({"w": np.zeros(10_000, np.float32)}, tmp_path / "x.pth")
    assert not isinstance(number_of(read_content(tmp_path / "x.pth")["w"]), list)


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_both_spellings_of_numpy(module: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    legacy(path, pickle.dumps({"a": np.float64(1.5), "b": np.arange(3.0)}, protocol=2), module)
    read = read_content(path)
    assert number_of(read["a"]) == 1.5
    assert number_of(read["b"]) == [0, 1, 2]


def test_the_real_classes_are_never_made(tmp_path: Path) -> None:
    torch.save({"args": argparse.Namespace(lr=0.1), "at": Path("a")}, tmp_path / "x.pth")
    read = read_content(tmp_path / "x.pth")
    assert not isinstance(read["args"], argparse.Namespace)
    assert read["args"].state == {"lr": 0.1}
    assert not isinstance(read["at"], Path)
    assert read["at"].arguments == ("a",)


def test_torchs_own_list_is_left_as_it_was(tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    torch.save({"args": argparse.Namespace()}, tmp_path / "x.pth")
    read_content(tmp_path / "x.pth")
    assert set(torch.serialization.get_safe_globals()) == before
    assert not before & set(stand_ins())


def named(value: bytes) -> bytes:
    """{"state_dict": value}, whole."""
    return b"\x80\x02}" + text("state_dict") + value + b"s."


HOSTILE: dict[str, Callable[[str], bytes]] = {
    "a call": lambda victim: call("os", "mkdir", text(victim)),
    "a call by its C name": lambda victim: call("posix", "mkdir", text(victim)),
    "exec": lambda victim: call("builtins", "exec", text(f"import os; os.mkdir({victim!r})")),
    "eval of python 2": lambda victim: call("__builtin__", "eval", text(f"open({victim!r}, 'w')")),
    "getattr": lambda victim: call("builtins", "getattr", b"cos\nmkdir\n", text("__call__")),
    "open": lambda victim: call("builtins", "open", text(victim), text("w")),
    "a module's file": lambda victim: call("runpy", "run_path", text(victim)),
    "a path that is used": lambda victim: call("pathlib", "Path.mkdir", text(victim)),
    "an object array": lambda victim: call(
        "numpy._core.multiarray", "scalar",
        call("numpy", "dtype", text("O")), call("os", "mkdir", text(victim)),
    ),
    "numpy.load": lambda victim: call("numpy", "load", text(victim)),
    "a pickle in a pickle": lambda victim: call("pickle", "loads", text("x")),
    "torch's own storage": lambda victim: call("torch.storage", "_load_from_bytes", text("x")),
    "a factory that is called": lambda victim: (
        call("collections", "defaultdict", b"cos\nmkdir\n") + text(victim) + b"N" + b"s"
    ),
    "a state that is set": lambda victim: (
        call("argparse", "Namespace") + b"}" + text("__class__") + call("os", "mkdir", text(victim))
        + b"sb"
    ),
    "what a stand-in would return": lambda victim: (
        call("functools", "partial", b"cos\nmkdir\n", text(victim)) + b"(tR"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_and_nothing_of_them_runs(name: str, tmp_path: Path) -> None:
    path, victim = tmp_path / "x.pth", tmp_path / "made"
    legacy(path, named(HOSTILE[name](str(victim))))
    with pytest.raises(InputError, match="needs code to load") as caught:
        read_content(path)
    assert "\n" not in str(caught.value)
    assert not victim.exists()


def test_a_global_that_is_no_value_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": WEIGHT}, "f": collections.UserDict()}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"it wants collections\.UserDict"):
        read_content(tmp_path / "x.pth")


STRANGE: dict[str, bytes] = {
    "a stand-in with another's state": call("numpy", "ndarray", b"K\x05") + b"K\x07b",
    "a scalar of nothing": call("numpy._core.multiarray", "scalar"),
    "a scalar of text": call("numpy._core.multiarray", "scalar", text("x"), text("y")),
    "an array that is too short": call(
        "numpy._core.multiarray", "_reconstruct"
    ) + b"(K\x01(K\x09t" + call("numpy", "dtype", text("f8")) + b"\x89U\x01xtb",
    "a dtype with a strange state": call(
        "numpy._core.multiarray", "scalar",
        call("numpy", "dtype", text("f8")) + b"K\x03b", b"U\x08xxxxxxxx",
    ),
    "a dtype whose code is none": call(
        "numpy._core.multiarray", "scalar", call("numpy", "dtype", b"K\x03"), b"U\x08xxxxxxxx",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_what_a_pickle_says_of_numpy_may_all_be_wrong(name: str, tmp_path: Path) -> None:
    legacy(tmp_path / "x.pth", named(STRANGE[name]))
    kept = read_content(tmp_path / "x.pth")["state_dict"]
    assert number_of(kept) is kept
