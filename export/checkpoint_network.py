"""The network that a checkpoint's weights make: which of its sets, under which names."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.models.model import check_classes
from smoothcert.export.architectures import architecture, is_factory
from smoothcert.export.checkpoint import Checkpoint, inferred_classes, several
from smoothcert.export.weights.fitting import (
    Weights,
    fitting_reading,
    load,
    not_ignored,
    own_state,
    without,
)
from smoothcert.export.weights.matching import Reading, best_reading, shapes_of
from smoothcert.export.weights.sets import WHOLE

if TYPE_CHECKING:
    import torch
    from torch import nn

_USUAL_SETS = (WHOLE, "state_dict", "model_state_dict", "model")
_USUAL_LEVELS = ("", "1", "module", "_orig_mod")
"""Where the original code, torch and its wrappers have weights: taking them is no inference."""

_MOST_NAMES = 4
_ANY = 2  # classes, where nothing tells them yet


@dataclass(frozen=True)
class Asked:
    """What a user says of the weights in a checkpoint: --weights, --ignore, --num-classes.

    implied  the classes that the dataset implies, which the weights overrule
    """

    weights: str | None = None
    ignore: tuple[str, ...] = ()
    num_classes: int | None = None
    implied: int | None = None


@dataclass(frozen=True)
class Loaded:
    """A network with a checkpoint's weights.

    said      what was inferred on the way, a sentence each
    recorded  the same for the metadata, empty for what needed no inference
    """

    module: "nn.Module"
    said: tuple[str, ...]
    recorded: dict[str, object]


def load_network(
    checkpoint: Checkpoint, arch: str, shape: tuple[int, int, int], asked: Asked
) -> Loaded:
    """Make an architecture and put a checkpoint's weights into it.

    The set of weights is the one asked for, the only one, or the only one that fits; prefixes are
    removed where the rest is what the architecture wants. Raises InputError where nothing fits, or
    more than one set does.
    """
    make = _Maker(arch, shape)
    name = asked.weights or _only(checkpoint, make, asked)
    weights = without(checkpoint.path, checkpoint.named(name), asked.ignore)
    classes = make.classes(weights.state, asked)
    if classes is None:
        raise InputError(
            f"checkpoint {checkpoint.path} does not tell its classes: give --num-classes"
        )
    check_classes(f"the network {arch}", classes)
    # What does not fit is told before memory is taken for what it would be.
    fitting_reading(own_state(make.sketch(classes), arch), weights, arch)
    module = make(classes)
    reading = load(module, weights, arch)
    return Loaded(module, *_told(checkpoint, name, weights, reading, asked))


class _Maker:
    """Makes an architecture, once for each number of classes."""

    def __init__(self, arch: str, shape: tuple[int, int, int]) -> None:
        self._arch, self._shape = arch, shape
        self._made: dict[int, nn.Module] = {}
        self._sketched: dict[int, nn.Module] = {}

    def __call__(self, classes: int) -> "nn.Module":
        if classes not in self._made:
            sketch = self.sketch(classes)
            if classes not in self._made:
                size = sum(value.nbytes for value in own_state(sketch, self._arch).values())
                check_fits(size, f"architecture {self._arch} of {classes} classes", "fewer classes")
                self._made[classes] = architecture(self._arch, classes, self._shape)
        return self._made[classes]

    def sketch(self, classes: int) -> "nn.Module":
        """The same without memory, for names and shapes; a factory's, and what cannot be made so,
        itself."""
        import torch

        if classes in self._made:
            return self._made[classes]
        if classes not in self._sketched:
            made = None
            if not is_factory(self._arch):
                with contextlib.suppress(InputError), torch.device("meta"):
                    made = architecture(self._arch, classes, self._shape)
            if made is None:
                made = architecture(self._arch, classes, self._shape)
                return self._made.setdefault(classes, made)
            self._sketched[classes] = made
        return self._sketched[classes]

    def wanted(self, classes: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes that it has with so many classes."""
        return shapes_of(own_state(self.sketch(classes), self._arch))

    def classes(self, state: "Mapping[str, torch.Tensor]", asked: Asked) -> int | None:
        """The classes: those asked for, else those that make the weights fit, else None.

        A last bias is a guess that the architecture confirms; where it does not, what it has of
        that many rows and the file of so many others are the rows of classes.
        """
        if asked.num_classes is not None:
            return asked.num_classes
        known = inferred_classes(dict(state)) or asked.implied
        guess = known or _ANY
        given, wanted = shapes_of(state), self.wanted(guess)
        reading = best_reading(given, wanted)
        other = _rows_instead(reading, given, wanted, guess)
        if other is not None:
            return other
        return guess if known is not None or reading.complete else None


def _rows_instead(
    reading: Reading,
    given: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, tuple[int, ...]],
    guess: int,
) -> int | None:
    """The number of rows that all misshaped weights have in place of `guess`, else None."""
    pairs = [(given[name], wanted[reading.names[name]]) for name in reading.misshaped]
    rows = {has[0] for has, wants in pairs if has and wants}
    same = all(has and wants and wants[0] == guess and has[1:] == wants[1:] for has, wants in pairs)
    return rows.pop() if same and len(rows) == 1 and not reading.missing else None


def _only(checkpoint: Checkpoint, make: _Maker, asked: Asked) -> str:
    """The name of the only set of weights that can be meant."""
    sets = checkpoint.sets
    if len(sets) == 1:
        return next(iter(sets))
    kept = {name: not_ignored(state, asked.ignore) for name, state in sets.items()}
    largest = max(kept.values(), key=len)
    guess = asked.num_classes or inferred_classes(largest) or asked.implied or _ANY
    by_name = [name for name, state in kept.items() if _names_fit(state, make.wanted(guess))]
    fitting = [name for name in by_name if _shapes_fit(kept[name], make, asked)]
    if len(fitting) == 1 or (not fitting and len(by_name) == 1):
        return (fitting or by_name)[0]
    most = sorted(sets, key=lambda name: -len(sets[name]))[:_MOST_NAMES]
    raise several(checkpoint.path, fitting or by_name or most)


def _names_fit(state: "Mapping[str, torch.Tensor]", wanted: Mapping[str, tuple[int, ...]]) -> bool:
    return best_reading(dict.fromkeys(state, ()), dict.fromkeys(wanted, ())).fits


def _shapes_fit(state: "Mapping[str, torch.Tensor]", make: _Maker, asked: Asked) -> bool:
    classes = make.classes(state, asked)
    return classes is not None and best_reading(shapes_of(state), make.wanted(classes)).fits


def _told(
    checkpoint: Checkpoint, name: str, weights: Weights, reading: Reading, asked: Asked
) -> tuple[tuple[str, ...], dict[str, object]]:
    said, recorded = [], dict[str, object]()
    if name not in _USUAL_SETS or (asked.weights is not None and len(checkpoint.sets) > 1):
        said.append(f"weights from {name}")
        recorded["weights"] = name
    if not set(reading.prefix.split(".")) <= set(_USUAL_LEVELS) or (
        reading.how and not reading.prefix
    ):
        said.append(f"{reading.how}, of every name of a weight")
        recorded["names"] = reading.how
    if weights.dropped:
        shown = ", ".join(list(weights.dropped)[:_MOST_NAMES])
        more = len(weights.dropped) - _MOST_NAMES
        said.append(f"ignored {shown}" + (f" and {more} more" if more > 0 else ""))
        recorded["ignored"] = list(asked.ignore)
    return tuple(said), recorded
