"""Which of a foreign model's outputs the logits are, and how they become [N, K]."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import check_classes
from smoothcert.engine.models.onnx_graph import GraphValue, listed
from smoothcert.export.foreign.options import ModelOptions

_NUMBERS = ("float32", "float16", "bfloat16", "float64", "uint8", "int8")
"""What scores are made of: floats, and the codes of a quantised model, which are in their order.
Wider whole numbers are labels."""


@dataclass(frozen=True)
class LogitsReading:
    """A foreign model's logits, read.

    name         of the tensor
    number_type  of its numbers, by numpy's name
    shape        of it, the batch first
    classes      K; 2 for a single output with a threshold
    threshold    a single output above it is class 1, else class 0
    adapted      what was inferred or changed, for a manifest
    said         the same in sentences
    """

    name: str
    number_type: str
    shape: tuple[int | str | None, ...]
    classes: int
    threshold: float | None = None
    adapted: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def read_logits(
    path: Path, outputs: Sequence[GraphValue], batch: int | None, options: ModelOptions
) -> LogitsReading:
    """Choose among the outputs of the model at `path`, whose shapes are known but for the batch.

    batch  its fixed size, or None
    Raises InputError where none can be the logits, where several can and no option decides, and for
    a single output per image without a threshold.
    """
    counts = {value.name: _classes(value, batch) for value in outputs}
    value = _chosen(path, outputs, counts, options)
    classes = counts[value.name]
    if classes == 1 and options.threshold is None:
        raise InputError(
            f"model {path} has one output per image, {value}: expected logits of at least 2 "
            "classes, since one class always wins and no radius would mean a thing; of a binary "
            "classifier give --threshold T, above which an image is class 1 (0.5 of a probability, "
            "0 of a raw score)"
        )
    if classes != 1 and options.threshold is not None:
        raise InputError(
            f"model {path} returns {value}, {classes} classes: --threshold is of a single output; "
            "leave it out"
        )
    assert classes is not None
    if classes != 1:
        check_classes(f"model {path}", classes)
    adapted: dict[str, Any] = {}
    said = []
    if len(outputs) > 1:
        adapted["logits"] = value.name
        if options.logits is None:
            said.append(f"logits {value}, of {len(outputs)} outputs the only one that can be")
    if value.made_of not in ("float32", "float16", "bfloat16"):
        adapted["logits_type"] = value.made_of
        said.append(f"logits {value} are cast to float32")
    if classes != 1 and len(value.shape) != 2:
        adapted["logits_shape"] = ["N", *value.shape[1:]] if len(value.shape) > 1 else [classes]
        said.append(f"logits {value}: sides of 1 are dropped, {classes} classes")
    if classes == 1:
        said.append(
            f"output {value} above {options.threshold:g} is class 1, else class 0, as --threshold "
            "says"
        )
        adapted["threshold"] = options.threshold
    return LogitsReading(
        value.name,
        value.made_of,
        tuple(value.shape),
        2 if classes == 1 else classes,
        options.threshold,
        adapted,
        tuple(said),
    )


def can_be_read(value: GraphValue) -> bool:
    """Whether an output is made of numbers that scores are made of."""
    return value.made_of in _NUMBERS


def _classes(value: GraphValue, batch: int | None) -> int | None:
    """How many scores of an image an output holds, all but one of whose sides beside the batch are
    1; None where it holds something else, or another number of rows than there are images."""
    if not can_be_read(value) or not value.shape:
        return None
    first, rest = value.shape[0], value.shape[1:]
    if isinstance(first, int) and first != batch:
        if rest or batch != 1:
            return None  # its rows are not the images
        rest = [first]  # a batch of one, its side dropped
    sides = [side for side in rest if side != 1]
    if not sides:
        return 1 if value.made_of in _NUMBERS[:4] else None
    (found, *others) = sides
    return found if isinstance(found, int) and found > 1 and not others else None


def _chosen(
    path: Path,
    outputs: Sequence[GraphValue],
    counts: dict[str, int | None],
    options: ModelOptions,
) -> GraphValue:
    if options.logits is not None:
        for value in outputs:
            if value.name == options.logits:
                if counts[value.name] is None:
                    raise InputError(
                        f"--logits {value.name} of model {path} returns {value}: expected float "
                        f"scores [N, K]; its outputs are {listed(outputs)}"
                    )
                return value
        raise InputError(
            f"--logits {options.logits!r} is no output of model {path}: expected one of "
            f"{listed(outputs)}"
        )
    several = [value for value in outputs if (counts[value.name] or 0) > 1]
    single = [value for value in outputs if counts[value.name] == 1]
    found = [*several, *single] if options.threshold is not None else several or single
    if not found:
        raise InputError(
            f"model {path} returns {listed(outputs) or 'nothing'}: expected float logits [N, K], "
            "K classes for each image; export it with them as an output"
        )
    if len(found) > 1:
        raise InputError(
            f"model {path} has {len(found)} outputs that can be its logits, "
            f"{listed(found)}: expected one; give --logits NAME (such as --logits "
            f"{found[-1].name})"
        )
    return found[0]
