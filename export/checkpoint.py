"""Checkpoints: what they hold, and the network they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.wording import LONGEST_NAME, is_name, shown
from smoothcert.export.weights.content import read_content
from smoothcert.export.weights.fitting import load, own_state, without
from smoothcert.export.weights.matching import Reading, best_reading, shapes_of
from smoothcert.export.weights.sets import weight_sets
from smoothcert.export.weights.unpickling import number_of

if TYPE_CHECKING:
    import torch
    from torch import nn

_MOST_NAMES = 3
_SMALL = 1 << 26  # bytes
_MOST_GROWTH = 20
"""Of a file, into its tensors: a pickle may say of one number that it is repeated without end."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's sets of weights under the file's own names, and what it says about itself.

    sets   every dict of tensors in the file, by its dotted place; "." is the file's own dict
    facts  entries beside the weights that are plain values: arch, dataset, num_classes,
           input_shape, mean, std, sigma, epoch, where present
    """

    path: Path
    sha256: str
    sets: "dict[str, dict[str, torch.Tensor]]"
    facts: dict[str, Any] = field(default_factory=dict)

    def named(self, weights: str | None = None) -> "dict[str, torch.Tensor]":
        """A set of weights: the one asked for, else the only one.

        Raises InputError where there is none of that name, and where one has to be chosen.
        """
        if weights is None and len(self.sets) == 1:
            return next(iter(self.sets.values()))
        if weights is None:
            raise several(self.path, list(self.sets))
        if weights not in self.sets:
            more = "; leave --weights out" if len(self.sets) == 1 else ""
            raise InputError(
                f"--weights {weights} is no set of weights of checkpoint {self.path}: expected "
                f"{', '.join(self.sets)}{more}"
            )
        return self.sets[weights]

    @property
    def state(self) -> "dict[str, torch.Tensor]":
        """The only set of weights."""
        return self.named()


def several(path: Path, names: Sequence[str]) -> InputError:
    """The refusal to choose among sets of weights."""
    return InputError(
        f"checkpoint {path} holds {len(names)} sets of weights ({', '.join(names)}): choose with "
        f"--weights {names[0]}, or another of them"
    )


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a torch or safetensors checkpoint without running anything it contains.

    Understood: the original code's dict (`arch`, `state_dict`), state dicts, and any dict that
    holds dicts of tensors. Raises InputError where the file is damaged, needs code to load, or
    holds no weights.
    """
    content = read_content(path)
    if not isinstance(content, dict):
        raise InputError(
            f"checkpoint {path} holds a {type(content).__name__}: expected a state dict; save "
            "model.state_dict()"
        )
    sets = weight_sets(content)
    if not sets:
        names = one_line(", ".join(map(str, list(content)[:_MOST_NAMES])) or "nothing")
        raise InputError(
            f"checkpoint {path} holds no weights (it has {names}): expected a state dict, or a "
            "dict with `state_dict`"
        )
    _check_names(path, sets)
    _check_sizes(path, sets)
    facts = {str(name): number_of(value) for name, value in dict.items(content)}
    plain = {name: value for name, value in facts.items() if _is_plain(value)}
    return Checkpoint(path, file_digest(path), sets, plain)


def _check_names(path: Path, sets: "Mapping[str, Mapping[str, torch.Tensor]]") -> None:
    """Raise InputError for a name that no line can say, nor an option."""
    for state in (sets, *sets.values()):
        for name in state:
            if not is_name(name):
                raise InputError(
                    f"checkpoint {path} has weights under the name {shown(name, 60)}: expected "
                    f"names that can be printed, of at most {LONGEST_NAME} characters; save "
                    "model.state_dict()"
                )


def _check_sizes(path: Path, sets: "Mapping[str, Mapping[str, torch.Tensor]]") -> None:
    """Raise InputError for a set of weights that is far larger than its file."""
    written = path.stat().st_size
    for name, state in sets.items():
        size = sum(value.numel() * value.element_size() for value in state.values())
        if size > max(_SMALL, _MOST_GROWTH * written):
            raise InputError(
                f"checkpoint {path} is {written} bytes and its weights {name} are {size}: expected "
                "tensors of numbers of their own; save model.state_dict()"
            )


def _is_plain(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else (value,)
    return all(isinstance(one, str | int | float | bool) for one in values)


def inferred_classes(state: "dict[str, torch.Tensor]") -> int | None:
    """The outputs of the last linear layer: the length of the last bias, or None."""
    last = next((v for k, v in reversed(state.items()) if k.endswith("bias")), None)
    return int(last.shape[0]) if last is not None and last.ndim == 1 else None


def load_weights(
    module: "nn.Module",
    checkpoint: Checkpoint,
    arch: str,
    weights: str | None = None,
    ignore: Sequence[str] = (),
) -> Reading:
    """Put a checkpoint's weights into a module, and return how their names were read.

    weights  the set to take [default: the only one, or the only one that fits]
    ignore   prefixes of names that are no part of the network
    Raises InputError naming what does not fit.
    """
    if weights is None and len(checkpoint.sets) > 1:
        wanted = shapes_of(own_state(module, arch))
        fitting = [name for name, state in checkpoint.sets.items()
                   if best_reading(shapes_of(state), wanted).fits]  # fmt: skip
        if len(fitting) == 1:
            weights = fitting[0]
    return load(module, without(checkpoint.path, checkpoint.named(weights), ignore), arch)
