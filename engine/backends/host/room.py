"""What a batch needs of this machine's memory, told before anything is allocated.

A bound from below: the rows, their logits and what is counted of them. What a network itself needs
beside them only its runtime knows, which says so when it fails (engine/base/failing.py).
"""

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.memory import available_memory

SLOTS = 128
"""Images that are resident at a time."""

_COMPARED = 256
"""Rows whose logits the probe keeps, at most."""

_FLOAT, _COUNT = 4, 8
_ADDRESS = 12 + 4 + 4
"""Bytes of a row's noise address, slot and vote."""


def bytes_of(spec: InputSpec, classes: int, batch: int, slots: int = SLOTS) -> int:
    """Bytes of `batch` rows and what belongs to them: inputs; logits, a copy of them and whether
    each is finite; the resident images and the counts of those that have rows."""
    row = _FLOAT * spec.num_pixels + (2 * _FLOAT + 1) * classes + _ADDRESS
    images = slots * spec.num_pixels + min(slots, batch) * _COUNT * classes
    return batch * row + images + min(_COMPARED, batch) * _FLOAT * classes


def largest_batch(spec: InputSpec, classes: int, most: int) -> int:
    """The most rows, up to `most`, that the memory that is left has room for; 0 where that is not
    even one."""
    left = available_memory()
    if left is None or bytes_of(spec, classes, most) <= left:
        return most
    low, high = 0, most  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bytes_of(spec, classes, middle) <= left else (low, middle)
    return low


def check_room(spec: InputSpec, classes: int, batch: int, name: str) -> None:
    """Raise InputError, naming the largest batch that fits, where `batch` rows do not; `name` is
    what runs on them."""
    most = largest_batch(spec, classes, batch)
    if most == batch:
        return
    needed = bytes_of(spec, classes, batch) / 1e9
    left = (available_memory() or 0) / 1e9
    expected = f"expected a batch of at most {most}" if most else "expected a smaller model"
    raise InputError(
        f"batch {batch} of {name}, with inputs of {spec.num_pixels} numbers and {classes} classes, "
        f"needs at least {needed:,.1f} GB of memory, {left:,.1f} GB are left: {expected}"
    )
