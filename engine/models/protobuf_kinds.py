"""Files of protocol buffers, which carry no magic number, told by the fields that they have."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
_MOST_FIELDS = 200_000
_HEAD = 4096

# ModelProto of onnx.proto: its fields' wire types. Those of a newer ONNX than ours are let pass.
_ONNX = {
    1: _VARINT,  # ir_version
    2: _DELIMITED,
    3: _DELIMITED,
    4: _DELIMITED,
    5: _VARINT,
    6: _DELIMITED,
    7: _DELIMITED,  # graph
    8: _DELIMITED,  # opset_import
    14: _DELIMITED,
    20: _DELIMITED,
    25: _DELIMITED,
    26: _DELIMITED,
}
_ONNX_GRAPH = 7
_NEWER_ONNX = 100
_COREML_TYPES = 200
"""From this field number on: what kind of network a Core ML model is."""
_CAFFE_LAYER = 100


@dataclass
class Framing:
    """The outermost fields of a message; what is inside of them is not read.

    head     the file's first bytes
    counts   how often each (field number, wire type) stands
    version  the value of field 1 where that is a number
    whole    whether the last field ends where the file does
    """

    head: bytes
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    version: int | None = None
    whole: bool = False

    def _has(self, number: int, wire: int = _DELIMITED) -> bool:
        return (number, wire) in self.counts

    @property
    def is_onnx(self) -> bool:
        """A ModelProto, or the beginning of one."""
        fits = all(
            _ONNX.get(number, wire) == wire and number < _NEWER_ONNX for number, wire in self.counts
        )
        return fits and self._has(_ONNX_GRAPH) and (self.whole or self._has(1, _VARINT))

    @property
    def is_saved_model(self) -> bool:
        """A SavedModel: schema version 1 and its meta graphs."""
        return set(self.counts) == {(1, _VARINT), (2, _DELIMITED)} and self.version == 1

    @property
    def is_tensorflow_graph(self) -> bool:
        """A GraphDef: a node is a name and an operator."""
        operators = (b"\x12\x0bPlaceholder", b"\x12\x05Const")
        return self._has(1) and any(operator in self.head for operator in operators)

    @property
    def is_coreml(self) -> bool:
        """A Core ML model: a version, a description, and a network of some kind."""
        kinds = any(number >= _COREML_TYPES for number, _ in self.counts)
        return self._has(1, _VARINT) and self._has(2) and kinds

    @property
    def is_caffe(self) -> bool:
        """A NetParameter: one name and its layers, of either version."""
        return self.counts.get((1, _DELIMITED)) == 1 and (self._has(_CAFFE_LAYER) or self._has(2))


def framing(path: Path) -> Framing | None:
    """The outermost fields of a file that may be a message; None where it cannot be one.

    A field that the file's end cuts is counted, and the message is not `whole`.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        found = Framing(file.read(_HEAD))
        file.seek(0)
        for _ in range(_MOST_FIELDS):
            if file.tell() == size:
                found.whole = True
                break
            tag = _varint(file)
            number, wire = (tag or 0) >> 3, (tag or 0) & 7
            if not number or wire not in (_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES):
                return None
            value = _varint(file) if wire in (_VARINT, _DELIMITED) else 0
            if value is None:
                return None
            found.counts[number, wire] = found.counts.get((number, wire), 0) + 1
            if wire == _VARINT:
                found.version = value if number == 1 else found.version
                continue
            skipped = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire, value)
            if file.tell() + skipped > size:
                break
            file.seek(skipped, 1)
    return found


def _varint(file: BinaryIO) -> int | None:
    """A number of at most 64 bits; None where there is none."""
    value = 0
    for place in range(10):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return value
    return None
