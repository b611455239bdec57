"""What a checkpoint's pickle would do, foreseen from its instructions, before any is carried out.

torch's own unpickler for weights runs no code of a file, but it calls what is on its list with any
arguments: a file of a few bytes can ask it for a bytearray of all memory there is, or for the set
of a tensor that repeats one number without end. Here the instructions are gone through with notes
in place of values, and calls are refused that cost more than the file is long.
"""

import _compat_pickle
import math
import pickle
import pickletools
from dataclasses import dataclass
from typing import IO, Any

_MOST_WORK = 10_000_000
"""Values that are hashed as keys, one by one."""
_DEEPEST_KEY = 50
_COPYING = frozenset({"builtins.set", "collections.Counter", "collections.OrderedDict",
                      "torch.Size"})  # fmt: skip
_CONTAINERS = frozenset({"list", "tuple", "dict", "set"})
_PARAMETERS = frozenset(
    {"torch.nn.parameter.Parameter", "torch._utils._rebuild_parameter",
     "torch._utils._rebuild_parameter_with_state"}
)  # fmt: skip
_OF_A_TYPE = "torch._tensor._rebuild_from_type_v2"
_TEXT_CODECS = ("latin1", "latin-1", "iso-8859-1", "utf-8", "utf8", "ascii")
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1")
_EMPTY = {"EMPTY_TUPLE": "tuple", "EMPTY_LIST": "list", "EMPTY_DICT": "dict", "EMPTY_SET": "set",
          "NONE": "plain", "NEWFALSE": "plain", "NEWTRUE": "plain",
          "BINFLOAT": "plain"}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(slots=True)
class _Note:
    """What is known of a value.

    kind      tuple, list, dict, set, number, text, global, tensor, storage, made, plain
    value     of a number, a text, the name of a global; the numbers that a storage has
    parts     of a tuple
    work      values that are hashed where it is a key, or its items are
    repeated  it may be a tensor of more numbers than the file has
    """

    kind: str
    value: Any = None
    parts: tuple["_Note", ...] = ()
    work: int = 1
    depth: int = 0
    repeated: bool = False


def check_pickle(stream: IO[bytes], length: int) -> None:
    """Go through one pickle, to its end and no further; `length` is that of its file in bytes.

    Raises pickle.UnpicklingError for what torch's unpickler would refuse or must not be asked,
    and ValueError and the like for what is no pickle.
    """
    _Foresight(length).read(stream)


class _Foresight:
    def __init__(self, length: int) -> None:
        self._length = length
        self._stack: list[_Note] = []
        self._marked: list[list[_Note]] = []
        self._memo: dict[int, _Note] = {}
        self._work = 0

    def read(self, stream: IO[bytes]) -> None:
        for opcode, argument, _ in pickletools.genops(stream):
            self._carry_out(opcode.name, argument)

    def _carry_out(self, name: str, argument: Any) -> None:
        push, pop = self._stack.append, self._stack.pop
        match name:
            case "PROTO" | "STOP":
                pass
            case "MARK":
                self._marked.append(self._stack)
                self._stack = []
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = self._stack[-1]
            case "BINGET" | "LONG_BINGET":
                push(self._memo[argument])
            case "GLOBAL":
                push(_Note("global", _full_name(argument)))
            case "BINUNICODE" | "SHORT_BINSTRING":
                push(_Note("text", argument))
            case "TUPLE":
                parts = self._to_mark()
                self._stack.append(_tuple(parts))
            case "APPEND":
                self._add([pop()])
            case "APPENDS":
                self._add(self._to_mark())
            case "SETITEM":
                value, key = pop(), pop()
                self._set([key, value])
            case "SETITEMS":
                self._set(self._to_mark())
            case "REDUCE" | "NEWOBJ":
                arguments, called = pop(), pop()
                push(self._call(called, arguments))
            case "BUILD":
                self._build(pop(), self._stack[-1])
            case "BINPERSID":
                push(self._storage(pop()))
            case _ if name in _EMPTY:
                push(_Note(_EMPTY[name]))
            case _ if name in _NUMBERS:
                push(_Note("number", argument))
            case _ if name in _TUPLES:
                parts = [pop() for _ in range(_TUPLES[name])]
                push(_tuple(parts[::-1]))
            case _:
                raise pickle.UnpicklingError(f"the instruction {name} is of no checkpoint")

    def _to_mark(self) -> list[_Note]:
        found, self._stack = self._stack, self._marked.pop()
        return found

    def _add(self, items: list[_Note]) -> None:
        holder = self._stack[-1]
        if holder.kind not in ("list", "made"):
            raise pickle.UnpicklingError("it appends to what is no list")
        for item in items:
            _take_in(holder, item)

    def _set(self, items: list[_Note]) -> None:
        holder = self._stack[-1]
        if holder.kind not in ("dict", "made"):
            raise pickle.UnpicklingError("it sets items of what is no dict")
        for key in items[::2]:
            self._spend(key)
            _take_in(holder, key)

    def _spend(self, key: _Note) -> None:
        """Count the work of hashing; a tuple hashes what is in it, at each place where it is."""
        self._work += key.work
        if self._work > _MOST_WORK or key.depth > _DEEPEST_KEY:
            raise pickle.UnpicklingError("its keys are tuples in tuples without end")

    def _build(self, state: _Note, holder: _Note) -> None:
        if state.kind in ("tensor", "storage"):
            raise pickle.UnpicklingError("a tensor is no state")
        # Of tensors as the first torch wrote them it says the shape, and any.
        holder.repeated = holder.repeated or holder.kind == "tensor"

    def _storage(self, place: _Note) -> _Note:
        """("storage", type, key, location, numbers), and in old files a view; or a number."""
        numbers = place.parts[4].value if len(place.parts) > 4 else None
        if isinstance(numbers, int) and numbers > self._length:
            raise ValueError(f"its storage of {numbers} numbers is not in the file")
        return _Note("storage", numbers)

    def _call(self, called: _Note, arguments: _Note) -> _Note:
        if called.kind != "global" or arguments.kind != "tuple":
            raise pickle.UnpicklingError("it calls what is no function")
        name, parts = called.value, arguments.parts
        self._check_call(name, parts)
        return _made(name, parts)

    def _check_call(self, name: str, parts: tuple[_Note, ...]) -> None:
        refusal = pickle.UnpicklingError(f"function {name} with what no checkpoint gives it")
        kinds = [part.kind for part in parts]
        if name == _OF_A_TYPE:
            if kinds[:3:2] != ["global", "tuple"]:
                raise refusal
            self._check_call(parts[0].value, parts[2].parts)
        elif name in ("_codecs.encode", "builtins.bytearray"):
            as_text = kinds == ["text", "text"] and parts[1].value in _TEXT_CODECS
            of_bytes = name == "builtins.bytearray" and kinds in ([], ["made"])
            if not (as_text or of_bytes):
                raise refusal
        elif name in _COPYING:
            if not _CONTAINERS.issuperset(kinds):
                raise refusal
            for part in parts:
                self._spend(part)
        elif name.startswith("torch.") and name.endswith(("Tensor", "Storage")):
            if parts:
                raise refusal
        elif name not in _PARAMETERS and any(part.repeated for part in parts):
            raise refusal


def _full_name(argument: str) -> str:
    module, _, name = argument.partition(" ")
    if (module, name) in _compat_pickle.NAME_MAPPING:
        module, name = _compat_pickle.NAME_MAPPING[module, name]
    return f"{_compat_pickle.IMPORT_MAPPING.get(module, module)}.{name}"


def _tuple(parts: list[_Note]) -> _Note:
    found = _Note("tuple", parts=tuple(parts))
    for part in parts:
        _take_in(found, part)
    return found


def _take_in(holder: _Note, item: _Note) -> None:
    holder.work = min(holder.work + item.work, _MOST_WORK + 1)
    holder.depth = max(holder.depth, item.depth + 1)
    holder.repeated = holder.repeated or (holder.kind == "tuple" and item.repeated)


def _made(name: str, parts: tuple[_Note, ...]) -> _Note:
    if name == _OF_A_TYPE:
        return _made(parts[0].value, parts[2].parts)
    if not name.startswith("torch.") or name in ("torch.device", "torch.serialization._get_layout"):
        return _Note("made", work=sum(part.work for part in parts) + 1)
    if name == "torch.Size":
        return _tuple(list(parts[0].parts)) if parts and parts[0].kind == "tuple" else _Note("made")
    if name in _PARAMETERS:
        return _Note("tensor", repeated=any(part.repeated for part in parts))
    return _Note("tensor", repeated=not _has_own_numbers(parts))


def _has_own_numbers(parts: tuple[_Note, ...]) -> bool:
    """Whether these are storage, offset, size, ...: no more numbers than the storage has."""
    if len(parts) < 3 or parts[0].kind != "storage" or parts[2].kind != "tuple":
        return False
    sides = [side.value for side in parts[2].parts]
    if not all(isinstance(side, int) for side in (*sides, parts[0].value)):
        return False
    return bool(math.prod(sides) <= parts[0].value)
