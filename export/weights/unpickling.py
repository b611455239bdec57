"""What training scripts pickle beside weights, kept and never made: nothing of a file runs.

torch's own unpickler for weights calls what its allow-list has. What we add to that list are
stand-ins: classes under the names of argparse.Namespace, numpy.dtype and others that only keep the
arguments and the state that the pickle has for them. None of the real ones is imported or called.
"""

import re
from collections import OrderedDict
from functools import cache
from typing import Any

import numpy as np


class Kept:
    """An object of a pickle, as what the pickle says of it.

    arguments  that it would have been made with
    state      that it would have been given, or None
    """

    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *arguments: Any) -> Any:
        """The object, with its arguments."""
        kept = object.__new__(cls)
        kept.arguments = arguments
        return kept

    def __setstate__(self, state: Any) -> None:
        self.state = state


_MOST_NUMBERS = 1000


class KeptDict(Kept):
    """A mapping of some kind: a plain one in its place, which the pickle then fills."""

    def __new__(cls, *arguments: Any) -> Any:
        """An empty one, whatever it would have been made with."""
        return OrderedDict()


class KeptList(Kept):
    """A sequence that a pickle fills after it has made it: a list in its place."""

    def __new__(cls, *arguments: Any) -> Any:
        """A list of the first argument, where that is a sequence of values: bytes would grow."""
        first = arguments[0] if arguments else ()
        return list(first) if isinstance(first, list | tuple) else []


_PATHS = ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath")
_NUMBERS = ("bool", "bool_", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
            "uint8", "uint16", "uint32", "uint64")  # fmt: skip
_NODES = ("AnyNode", "BooleanNode", "BytesNode", "EnumNode", "FloatNode", "IntegerNode", "PathNode",
          "StringNode")  # fmt: skip

_VALUES: dict[str, tuple[str, ...]] = {
    "argparse": ("Namespace",),
    "types": ("SimpleNamespace",),
    "pathlib": _PATHS,
    "pathlib._local": _PATHS,
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "numpy": ("dtype", "ndarray", *_NUMBERS),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    # Types alone, such as the factory of a defaultdict.
    "builtins": ("bool", "bytes", "dict", "float", "frozenset", "int", "list", "range", "slice",
                 "str", "tuple"),
    "typing": ("Any",),
    "torch.torch_version": ("TorchVersion",),
    "omegaconf.base": ("ContainerMetadata", "Metadata"),
    "omegaconf.dictconfig": ("DictConfig",),
    "omegaconf.listconfig": ("ListConfig",),
    "omegaconf.nodes": _NODES,
}  # fmt: skip
_MAPPINGS: dict[str, tuple[str, ...]] = {
    "collections": ("defaultdict",),
    "easydict": ("EasyDict",),
    "yacs.config": ("CfgNode",),
    "mmengine.config.config": ("ConfigDict",),
    "mmcv.utils.config": ("ConfigDict",),
    "addict.addict": ("Dict",),
    "pytorch_lightning.utilities.parsing": ("AttributeDict",),
    "lightning_fabric.utilities.data": ("AttributeDict",),
    "lightning.fabric.utilities.data": ("AttributeDict",),
}
_SEQUENCES: dict[str, tuple[str, ...]] = {"collections": ("deque",)}


@cache
def stand_ins() -> tuple[type[Kept], ...]:
    """The stand-ins, under the names that pickles have for the real ones."""
    kinds = ((Kept, _VALUES), (KeptDict, _MAPPINGS), (KeptList, _SEQUENCES))
    return tuple(
        type(name, (base,), {"__module__": module, "__qualname__": name})
        for base, table in kinds
        for module, names in table.items()
        for name in names
    )


def number_of(value: Any) -> Any:
    """The number, or the nested list of numbers, of a numpy value that was kept; any other value
    as it is, and an array too that is as large as weights."""
    array = array_of(value)
    return value if array is None or array.size > _MOST_NUMBERS else array.tolist()


def array_of(value: Any) -> "np.ndarray[Any, Any] | None":
    """The array of a numpy scalar or array that was kept; None of anything else.

    Numbers alone: an array of objects is none, and stays what was kept.
    """
    if not isinstance(value, Kept):
        return None
    try:
        if type(value).__qualname__ == "scalar":
            dtype, data = value.arguments
            return np.frombuffer(data, _code(dtype), count=1).reshape(())
        if type(value).__qualname__ == "_reconstruct":
            _, shape, dtype, fortran, data = value.state
            flat = np.frombuffer(data, _code(dtype))
            return flat.reshape(shape, order="F" if fortran else "C")
    # Of what a pickle says, all may be wrong.
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError):
        pass
    return None


def _code(dtype: Kept) -> str:
    """A dtype's code, such as "<f8". Raises ValueError for what is no number."""
    code = dtype.arguments[0] if dtype.arguments else None
    order = dtype.state[1] if dtype.state else "|"
    found = re.fullmatch(r"[<>|=][biuf][1248]", f"{order}{code}")
    if found is None:
        raise ValueError(f"{order}{code} is no number")
    return found[0]
