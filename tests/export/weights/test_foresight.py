"""Pickles that ask for more than they hold are refused before a value of theirs is made."""

import io
import pickle
import resource
import struct
from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pickles import call, legacy, text

from smoothcert.engine.base.errors import InputError
from smoothcert.export.weights.content import read_content
from smoothcert.export.weights.foresight import check_pickle

_HUGE = 15 * 10**9


def whole(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def of(*values: bytes) -> bytes:
    return b"(" + b"".join(values) + b"t"


def tensor(*sides: int, stored: int = 4) -> bytes:
    """A tensor of one number, at every place."""
    storage = of(text("storage"), b"ctorch\nFloatStorage\n", text("0"), text("cpu"), whole(stored),
                 b"N") + b"Q"  # fmt: skip
    steps = of(*[b"K\x00"] * len(sides))
    return call("torch._utils", "_rebuild_tensor_v2", storage, b"K\x00", of(*map(whole, sides)),
                steps, b"\x89", call("collections", "OrderedDict"))  # fmt: skip


def doubled(times: int) -> bytes:
    """Text in hexadecimal, in hexadecimal, and so on."""
    found = call("_codecs", "encode", text("a"), text("latin1"))
    for _ in range(times):
        found = call("_codecs", "encode", found, text("hex"))
    return found


def in_one_another(times: int, twice: bool) -> bytes:
    """A tuple of a tuple of a tuple ..., each once or twice."""
    again = b"q\x01h\x01\x86" if twice else b"\x85"
    return b")" + again * times


def keyed(key: bytes) -> bytes:
    return b"}" + key + b"Ns"


_TYPED = (b"ctorch\nTensor\n", of(whole(_HUGE)), b"}")
BOMBS = {
    "zeros": call("builtins", "bytearray", whole(_HUGE)),
    "zeros of python 2": call("__builtin__", "bytearray", whole(_HUGE)),
    "zeros of a tensor": call("builtins", "bytearray", tensor(1)),
    "zeros of a type": call("torch._tensor", "_rebuild_from_type_v2",
                            b"cbuiltins\nbytearray\n", *_TYPED),
    "zeros of a new object": b"cbuiltins\nbytearray\n" + of(whole(_HUGE)) + b"\x81",
    "zeros by memo": b"cbuiltins\nbytearray\nq\x07h\x07" + of(whole(_HUGE)) + b"R",
    "a set": call("builtins", "set", tensor(10**9)),
    "a counter": call("collections", "Counter", tensor(10**9)),
    "a size": call("torch", "Size", tensor(10**9)),
    "a dict": call("collections", "OrderedDict", tensor(10**9, 2)),
    "hexadecimal": doubled(40),
    "a copy": call("torch._utils", "_rebuild_device_tensor_from_cpu_tensor", tensor(10**9),
                   b"ctorch\nfloat64\n", text("cpu"), b"\x89"),
    "a tensor": call("torch", "FloatTensor", whole(_HUGE)),
    "a list of tensors": call("torch", "FloatTensor", b"]" + tensor(10**9) + b"a"),
    "a key of 2^200": keyed(in_one_another(200, twice=True)),
    "a key of 2^40": keyed(in_one_another(40, twice=True)),
    "a deep key": keyed(in_one_another(10**6, twice=False)),
    "a deep item": call("builtins", "set", b"]" + in_one_another(10**6, twice=False) + b"a"),
    "a storage": tensor(1, stored=10**9),
}  # fmt: skip


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Where a bomb goes off, it ends here: a GB more than there is now."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 10**9, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", BOMBS)
def test_p3_a_pickle_that_fills_memory_is_refused_before(name: str, tmp_path: Path) -> None:
    content = b"\x80\x02}" + text("x") + BOMBS[name] + b"s."
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        check_pickle(io.BytesIO(content), 10**6)
    legacy(tmp_path / "x.pth", content)
    with pytest.raises(InputError, match=r"needs code to load|is not in the file"):
        read_content(tmp_path / "x.pth")


def parameter() -> torch.nn.Parameter:
    """One with an attribute of somebody's own."""
    found: Any = torch.nn.Parameter(torch.ones(2, 3))
    found.tag = "mine"
    return found  # type: ignore[no-any-return]


_SHARED = (0.9, 0.999)
HONEST: dict[str, Any] = {
    "bytearrays": [bytearray(b"abc\xff"), bytearray()],
    "bytes": b"abc\xff\x00",
    "sets": {1, 2, (3, 4)},
    "counters": Counter({30: 1, 60: 1}),
    "dicts": OrderedDict(a=1, b=OrderedDict()),
    "keys": {(0, 1): 2, (("a", 0), 1): 3, None: 4, 1.5: 5, torch.float32: 6},
    "a size": torch.Size([3, 4]),
    "shared tuples": [{"betas": _SHARED, "at": (_SHARED, _SHARED)}] * 5,
    "a device": [torch.device("cpu"), torch.float16, complex(1, 2)],
    "a parameter with an attribute": parameter(),
    "a tensor with an attribute": torch.zeros(3).requires_grad_(),
    "a view": torch.arange(12.0).reshape(3, 4).t()[1:, ::2],
    "one number, repeated": torch.zeros(1).expand(5, 5),
    "a buffer": torch.nn.Buffer(torch.arange(3)),
    "kinds": [torch.zeros(2, dtype=kind) for kind in
              (torch.bool, torch.uint8, torch.bfloat16, torch.float16, torch.complex64)],
    "nothing": torch.zeros(0, 3),
    "a number": torch.tensor(1.5),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "by channel": lambda: torch.quantize_per_channel(
        torch.ones(2, 3), torch.ones(2), torch.zeros(2), 0, torch.qint8
    ),
    "sparse": torch.eye(3).to_sparse(),
    "compressed": lambda: torch.eye(3).to_sparse_csr(),
    "meta": torch.zeros(10**6, 10**6, device="meta"),
    "an optimizer": torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict(),
    "a schedule": torch.optim.lr_scheduler.MultiStepLR(
        torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1), [3, 5]
    ).state_dict(),
    "states of generators": torch.get_rng_state(),
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("name", HONEST)
@pytest.mark.filterwarnings("ignore")
def test_what_torch_saves_is_foreseen_to_be_harmless(
    name: str, zipped: bool, tmp_path: Path
) -> None:
    more = HONEST[name]() if callable(HONEST[name]) else HONEST[name]
    content = {"state_dict": {"w": torch.zeros(3)}, "more": more}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    by_torch = torch.load(tmp_path / "x.pth", weights_only=True)
    read = read_content(tmp_path / "x.pth")
    assert type(read["more"]) is type(by_torch["more"])
