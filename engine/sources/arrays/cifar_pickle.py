"""The python version of the CIFAR archives is a pickle: read it without running what it asks for.

A pickle names the functions to call. Here every name resolves to a stand-in below, which can build
a numpy array of integers and nothing else; a name without a stand-in is refused. Numpy's own
reconstruction is not called either: it trusts the state it is given with raw memory.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, one_line

_FORM = "expected a batch of the python version of CIFAR, a pickled dict of arrays"


def load(file: Path) -> dict[str, Any]:
    """The dict a CIFAR batch pickles, keys as str, arrays as numpy integer arrays.

    Lists, strings and bytes stay what they are. Raises InputError, before anything else happens,
    where the pickle needs anything but arrays and containers.
    """
    try:
        batch = _Unpickler(io.BytesIO(file.read_bytes()), encoding="bytes").load()
        if not isinstance(batch, dict):
            raise InputError(f"{file}: pickles a {type(batch).__name__}: {_FORM}")
        return {_text(key): _resolve(value) for key, value in batch.items()}
    except InputError as error:
        message = str(error)
        raise InputError(message if str(file) in message else f"{file}: {message}") from None
    # Damaged or hostile opcodes end in nearly every kind of exception.
    except Exception as error:
        reason = one_line(error, None)
        raise InputError(f"{file}: cannot be unpickled ({reason}): {_FORM}") from None


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
                raise InputError(f"pickles text as {encoding}: expected latin1")
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
                f"its pickle asks for {module}.{name}, which was not run: {_FORM} and nothing "
                "else; do not trust this file"
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
