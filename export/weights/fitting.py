"""Weights that are put into a network, or one line that says why they do not fit it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.export.weights.matching import (
    Reading,
    Shapes,
    best_reading,
    complete_prefixes,
    shapes_of,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

_MOST_NAMES = 3


@dataclass(frozen=True)
class Weights:
    """One set of weights of a checkpoint, less what --ignore drops.

    path     of the checkpoint, for messages
    state    the tensors under the file's own names
    dropped  those that --ignore dropped
    """

    path: Path
    state: "dict[str, torch.Tensor]"
    dropped: "dict[str, torch.Tensor]"


def without(path: Path, state: "dict[str, torch.Tensor]", ignore: Sequence[str]) -> Weights:
    """A set of weights without the names that begin with one of `ignore`; raises InputError for a
    prefix that no name has."""
    for prefix in ignore:
        if not prefix or not any(name.startswith(prefix) for name in state):
            raise InputError(
                f"no name of checkpoint {path} begins with {prefix!r}: expected --ignore with the "
                f"beginning of names such as {_some(list(state))}; correct it or leave it out"
            )
    kept = not_ignored(state, ignore)
    dropped = {name: value for name, value in state.items() if name not in kept}
    if not kept:
        raise InputError(
            f"--ignore {' '.join(ignore)} leaves nothing of checkpoint {path}: expected a prefix "
            "of what is not the network's"
        )
    return Weights(path, kept, dropped)


def not_ignored(
    state: "dict[str, torch.Tensor]", ignore: Sequence[str]
) -> "dict[str, torch.Tensor]":
    """The weights whose names begin with none of `ignore`."""
    return {name: value for name, value in state.items() if not name.startswith(tuple(ignore))}


def own_state(module: "nn.Module", arch: str) -> "dict[str, torch.Tensor]":
    """The tensors that an architecture wants, under its own names."""
    import torch
    from torch.nn.parameter import is_lazy

    own = {name: value for name, value in module.state_dict().items()
           if isinstance(value, torch.Tensor)}  # fmt: skip
    if any(map(is_lazy, own.values())):
        raise InputError(
            f"architecture {arch} has lazy layers, whose shapes nothing tells: expected a network "
            "that was run once; do that in its factory"
        )
    return own


def fitting_reading(own: "Mapping[str, torch.Tensor]", weights: Weights, arch: str) -> Reading:
    """The reading of names by which weights fit an architecture's own; looks at names and shapes
    alone. Raises InputError naming what does not fit."""
    wanted = shapes_of(own)
    reading = best_reading(shapes_of(weights.state), wanted)
    if not reading.fits:
        raise InputError(_misfit(weights, wanted, reading, arch))
    return reading


def load(module: "nn.Module", weights: Weights, arch: str) -> Reading:
    """Put weights into a module, and return the reading of their names that fits it.

    Raises InputError naming what does not fit, and for tensors that hold no plain numbers.
    """
    own = own_state(module, arch)
    reading = fitting_reading(own, weights, arch)
    # Its counters of batches alone may be missing from weights that fit.
    supplied = set(reading.names.values())
    needed = [name for name in weights.dropped
              if (target := name.removeprefix(reading.prefix)) in own
              and target not in supplied]  # fmt: skip
    if needed:
        raise InputError(_wanted_after_all(needed, arch))
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    state = {}
    for name, value in weights.state.items():
        target = reading.names[name]
        _check_numbers(weights.path, name, value, own[target], target in parameters)
        state[target] = value
    try:
        found = module.load_state_dict(state, strict=False)
        left = [*found.unexpected_keys, *(name for name in found.missing_keys if name in state)]
        if left:
            raise ValueError(f"its code leaves {_some(left)} out")
    except Exception as error:  # a foreign module's own hooks raise what they like
        raise InputError(
            f"checkpoint {weights.path} cannot be loaded into architecture {arch} "
            f"({one_line(error)}): expected its own state_dict()"
        ) from None
    return reading


def _check_numbers(
    path: Path, name: str, value: "torch.Tensor", own: "torch.Tensor", parameter: bool
) -> None:
    import torch

    found = None
    if value.is_nested:
        found = "a nested tensor"
    elif value.layout != torch.strided:
        found = f"a sparse tensor ({value.layout})"
    elif value.is_meta:
        found = "a tensor without numbers (device meta)"
    elif value.is_quantized:
        found = f"quantized numbers ({value.dtype})"
    elif value.is_complex() and not own.is_complex():
        found = f"complex numbers ({value.dtype})"
    elif own.is_floating_point() and not (value.is_floating_point() or value.is_complex()):
        found = f"numbers of type {value.dtype}"
    elif value.is_floating_point() and not _are_numbers(value.float(), infinite=not parameter):
        found = "numbers that are not finite"
    if found is not None:
        raise InputError(
            f"checkpoint {path} has {found} in {name}: expected plain {own.dtype} weights; save "
            "them so"
        )


def _are_numbers(value: "torch.Tensor", infinite: bool) -> bool:
    """Whether all are; `infinite`: as those of a mask, which is no parameter, may be."""
    import torch

    return not bool((torch.isnan(value) if infinite else ~torch.isfinite(value)).any())


def _misfit(weights: Weights, wanted: Shapes, reading: Reading, arch: str) -> str:
    """Why weights do not fit an architecture, and the option that helps."""
    given = shapes_of(weights.state)
    start = f"checkpoint {weights.path} does not fit architecture {arch}: "
    if weights.dropped:
        dropped = [name for name in weights.dropped
                   if name.removeprefix(reading.prefix) in reading.missing]  # fmt: skip
        if dropped or (dropped := _of_the_network(weights, wanted)):
            return _wanted_after_all(dropped, arch)
    whole = complete_prefixes(given, wanted)
    if len(whole) > 1:
        _, *others = whole
        names = ", ".join(prefix or "one without a prefix" for prefix in whole)
        return (
            f"{start}it holds {len(whole)} sets of its weights ({names}): to take the first give "
            f"{_ignored(others)}"
        )
    extra = reading.extra
    if len(whole) == 1:
        extra = tuple(name for name in given if not name.startswith(whole[0]))
    if len(whole) == 1 or (reading.complete and extra):
        kept = [name for name in given if name not in set(extra)]
        return (
            f"{start}nothing is missing, but {len(extra)} unexpected ({_some(extra)}); "
            f"give the --arch it was trained with, or {_ignored(_prefixes(extra, kept))} where "
            "that is no part of the network" + _normalisation(weights.state, extra)
        )
    shapes = [
        f"{name} {given[name]} for {wanted[reading.names[name]]}" for name in reading.misshaped
    ]
    problems = [
        f"{len(names)} {what} ({_some(names)})"
        for what, names in (
            ("missing", reading.missing),
            ("unexpected", extra),
            ("misshaped", shapes),
        )
        if names
    ]
    return f"{start}{'; '.join(problems)}; give the --arch it was trained with"


def _wanted_after_all(dropped: Sequence[str], arch: str) -> str:
    return (
        f"--ignore drops {_some(dropped)}, which architecture {arch} wants: expected a "
        "prefix of what is not the network's"
    )


def _of_the_network(weights: Weights, wanted: Shapes) -> list[str]:
    """Names that were dropped out of the only whole network in the file."""
    whole = complete_prefixes(shapes_of({**weights.state, **weights.dropped}), wanted)
    dropped = [name for name in weights.dropped if name.startswith(whole)]
    return dropped if len(whole) == 1 and dropped else []


def _prefixes(extra: Sequence[str], kept: Sequence[str]) -> list[str]:
    """The shortest prefixes that names to be dropped begin with and no other name does."""
    found: list[str] = []
    for name in extra:
        if name.startswith(tuple(found)):
            continue
        parts = name.split(".")
        heads = [".".join(parts[:depth]) + "." for depth in range(1, len(parts))]
        free = (head for head in heads if not any(other.startswith(head) for other in kept))
        found.append(next(free, name))
    return found


def _ignored(prefixes: Sequence[str]) -> str:
    shown = " ".join(f"--ignore {prefix}" for prefix in prefixes[:_MOST_NAMES])
    return shown + (" ..." if len(prefixes) > _MOST_NAMES else "")


def _normalisation(state: "Mapping[str, torch.Tensor]", extra: Sequence[str]) -> str:
    """A word on a mean and a std that lie among the weights: dropped, they have to be said."""
    options = []
    for option in ("mean", "std"):
        for name in extra:
            if name.rpartition(".")[2] == option and state[name].numel() in (1, 3):
                numbers = ",".join(f"{value:.6g}" for value in state[name].flatten().tolist())
                options.append(f"--{option} {numbers}")
                break
    return f", and {' '.join(options)} for what they did" if len(options) == 2 else ""


def _some(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names[:_MOST_NAMES]))
