"""The python version of the CIFAR archives is a pickle: read it without running what it asks for.

A pickle names the functions to call. Here every name resolves to a stand-in below, which can build
a numpy array of integers and nothing else; a name without a stand-in is refused. Numpy's own
reconstruction is not called either: it trusts the state it is given with raw memory.
"""

import io
import pickle
import pickletools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.base.wording import printable, shown

_FORM = "expected a batch of the python version of CIFAR, a pickled dict of arrays"


def load(file: Path) -> dict[str, Any]:
    """The dict a CIFAR batch pickles, keys as str, arrays as numpy integer arrays.

    Lists, strings and bytes stay what they are. Raises InputError, before anything else happens,
    where the pickle needs anything but arrays and containers.
    """
    content = read_regular(file, "a batch of a CIFAR archive")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes and types that Python or numpy gives up
            _check_opcodes(content)
            batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
            if not isinstance(batch, dict):
                raise InputError(f"pickles a {type(batch).__name__}: {_FORM}")
            return {_text(key): _resolve(value) for key, value in batch.items()}
    except InputError as error:
        raise InputError(f"{printable(file)}: {error}") from None
    # Damaged or hostile opcodes end in nearly every kind of exception.
    except Exception as error:
        reason = printable(one_line(error))
        raise InputError(f"{printable(file)}: cannot be unpickled ({reason}): {_FORM}") from None


_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_NEVER = frozenset(
    {"DUP", "POP", "POP_MARK", "EMPTY_SET", "ADDITEMS", "FROZENSET", "PERSID", "BINPERSID", "INST",
     "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
)  # fmt: skip


def _check_opcodes(content: bytes) -> None:
    """Raise InputError for a pickle that would cost more than its own length: places in the memo
    beyond the number of its instructions, which are allocated, and tuples that are used twice,
    whose digests as keys grow with every use of a use."""
    of_tuples: set[int] = set()
    number = memoized = 0
    before = ""
    for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        name = opcode.name
        if name in _NEVER:
            raise InputError(f"its pickle has the instruction {name}: {_FORM}")
        if name in _PUTS:
            place = memoized if argument is None else int(argument)
            memoized += 1
            if place > number:
                raise InputError(f"its pickle keeps a value in place {shown(place)}: {_FORM}")
            (of_tuples.add if before in _TUPLES else of_tuples.discard)(place)
            continue
        if name in _GETS and int(argument or 0) in of_tuples:
            raise InputError(f"its pickle uses a tuple twice: {_FORM}")
        if name != "FRAME":
            before = name


class _Dtype:
    """Stands in for numpy.dtype: an integer type, whose state is its byte order."""

    def __init__(self, code: Any, *_flags: Any) -> None:
        self.value = np.dtype(_text(code))
        if self.value.kind not in "ui":
            raise InputError(f"pickles an array of {self.value}: expected integers")

    def __setstate__(self, state: Any) -> None:
        self.value = self.value.newbyteorder(">" if _text(state[1]) == ">" else "<")


class _Array:
    """Stands in for numpy.ndarray; `value` is the array once the state is set."""

    value: npt.NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, is_fortran, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
            raise InputError("pickles an array that is not made of a type and bytes")
        order: Any = "F" if is_fortran else "C"
        self.value = np.frombuffer(content, dtype.value).reshape(shape, order=order)


class _Unpickler(pickle.Unpickler):
    """Resolves the few names of a pickled array to stand-ins, made anew for each load so that no
    pickle can leave a mark on the next."""

    def find_class(self, module: str, name: str) -> Any:
        def reconstruct(*_arguments: Any) -> Any:
            return _Array()

        def encode(text: str, encoding: str = "latin1") -> bytes:
            if encoding != "latin1":
                raise InputError(f"pickles text as {shown(encoding)}: expected latin1")
            return text.encode("latin1")

        stand_ins = {
            ("numpy.core.multiarray", "_reconstruct"): reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): reconstruct,
            ("numpy", "ndarray"): object(),
            ("numpy", "dtype"): lambda *arguments: _Dtype(*arguments),
            ("_codecs", "encode"): encode,
        }
        if (module, name) not in stand_ins:
            raise InputError(
                f"its pickle asks for {printable(f'{module}.{name}')[:80]}, which was not run: "
                f"{_FORM} and nothing else; of an honest file, write it anew in protocol 2"
            )
        return stand_ins[module, name]


def _resolve(value: Any) -> Any:
    """The array behind a stand-in; anything else is itself."""
    if isinstance(value, _Array):
        if value.value is None:
            raise InputError("pickles an array without content")
        return value.value
    return value


def _text(value: Any) -> str:
    """A key or a type code; Python 2 pickled them as bytes."""
    if isinstance(value, bytes):
        return value.decode("latin1")
    if not isinstance(value, str):
        raise InputError(f"pickles a {type(value).__name__} where a name was expected")
    return value
