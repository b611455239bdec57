"""The options that a model's refusals name: what to try of each, and what comes of it."""

from collections.abc import Callable, Iterable
from typing import Any

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.entry import Entry, sides_text
from smoothcert.cli.diagnosis.graph import OnnxFacts
from smoothcert.cli.diagnosis.mending import Mend
from smoothcert.engine.models.model import Model
from smoothcert.export.datasets import DATASETS
from smoothcert.export.foreign.options import ModelOptions

Shape = tuple[int, int, int]

_SHAPES = tuple(dict.fromkeys(dataset.shape for dataset in DATASETS.values()))


def values_to_try(facts: OnnxFacts | None, shape: Shape | None) -> Callable[[str], Iterable[Any]]:
    """What to try of an option that a refusal names."""
    outputs = [value.name for value in facts.outputs] if facts else []
    of_option: dict[str, Iterable[Any]] = {
        "input_shape": [shape] if shape else _shapes(facts),
        "layout": ["nchw", "nhwc"],
        "logits": outputs,
        "threshold": _thresholds(facts),
    }
    return lambda name: of_option.get(name, ())


def _thresholds(facts: OnnxFacts | None) -> list[float]:
    """The middle of what a single output ranges over, as far as its operator tells."""
    last = facts.last_operator if facts else ""
    return {"Sigmoid": [0.5], "Gemm": [0.0], "MatMul": [0.0]}.get(last, [0.5, 0.0])


def _shapes(facts: OnnxFacts | None) -> list[Shape]:
    """The shapes of known datasets that an input's fixed sides leave open, the usual one first."""
    sides = facts.inputs[0].shape if facts and facts.inputs else None
    fixed = {side for side in (sides or ())[1:] if isinstance(side, int)}
    fitting = [shape for shape in _SHAPES if fixed <= set(shape)]
    usual = DATASETS["imagenet"].shape
    return sorted(fitting, key=lambda shape: shape != usual)


def describe_ways(
    ways: list[Mend[ModelOptions, Model]],
    options: ModelOptions,
    facts: OnnxFacts | None,
) -> list[Entry]:
    """The options that make it open: each a line, where the choice is the user's."""
    found = []
    for way in ways:
        more = {k: v for k, v in way.options.given().items() if k not in options.given()}
        classes, shape = way.opened.num_classes, sides_text(way.opened.spec.shape)
        note = f"with it: images of {shape}, {classes} classes"
        if "input_shape" in more and way.options.input_shape not in (None, options.input_shape):
            note += "; the file says nothing of the size, so it has to be the images'"
        if "threshold" in more:
            note += f"; its last operator is {facts.last_operator}" if facts else ""
            note += " (0.5 is for a probability, 0 for a raw score)"
        found.append(Entry("option", commands.typed(more), note))
    return found
