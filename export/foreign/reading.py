"""A foreign ONNX file, read whole: what it takes, what it returns, and whether that is canonical
already."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.onnx_graph import Graph, GraphValue, listed
from smoothcert.engine.models.unloadable import UnloadableError, parsed
from smoothcert.export.foreign.given_network import with_found_shapes
from smoothcert.export.foreign.input_reading import InputReading, read_input
from smoothcert.export.foreign.logits_reading import LogitsReading, can_be_read, read_logits
from smoothcert.export.foreign.needed_nodes import names_needed
from smoothcert.export.foreign.options import ModelOptions


@dataclass(frozen=True)
class Reading:
    """What a foreign model is.

    taken, returned   its input and its logits
    plain    backends can run the file as it is, and would read the same of it
    adapted  what was given and inferred, for a manifest
    said     what was inferred, in sentences
    """

    taken: InputReading
    returned: LogitsReading
    plain: bool
    adapted: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def read_foreign(path: Path, graph: Graph, options: ModelOptions) -> Reading:
    """Read the model at `path`, of which ONNX Runtime says `graph`.

    Outputs of unknown shapes are found by running it once, as is whether they have a row for each
    image where their names do not say it, and whether open sides bear what they are said to be.
    Raises InputError, in one line, for what is no classifier of images, or can be read in more than
    one way.
    """
    value, left_out = _image_input(path, graph, options)
    taken = read_input(path, value, options)
    outputs = graph.outputs
    if not left_out:
        readable = [output for output in outputs if can_be_read(output)]
        if "input_shape" in taken.adapted or any(map(_unknown, readable)):  # which it may not fit
            outputs = with_found_shapes(path, outputs, taken)
        elif not all(_row_each(output, value) for output in readable):
            with suppress(UnloadableError):  # other runtimes may have the kernels
                outputs = with_found_shapes(path, outputs, taken)
    returned = read_logits(path, outputs, taken.batch, options)
    given = options.to_record()
    adapted: dict[str, Any] = {"options": given} if given else {}
    adapted |= {**taken.adapted, **returned.adapted}
    said = (*taken.said, *returned.said)
    if left_out:
        names = [value.name for value in left_out]
        adapted["inputs_left_out"] = names
        said = (*said, f"inputs that the logits do not need are left out: {', '.join(names)}")
    return Reading(taken, returned, _is_plain(graph, taken, returned, adapted), adapted, said)


def _is_plain(
    graph: Graph, taken: InputReading, returned: LogitsReading, adapted: dict[str, Any]
) -> bool:
    first = graph.outputs[0]
    return (
        not adapted.keys() - {"logits"}
        and returned.name == first.name
        and list(first.shape[1:]) == [returned.classes]
        and taken.spec == InputSpec.of_shape(*taken.spec.shape)
    )


def _image_input(
    path: Path, graph: Graph, options: ModelOptions
) -> tuple[GraphValue, list[GraphValue]]:
    """The one input that the logits need, and those that they do not."""
    inputs = graph.inputs
    if len(inputs) == 1:
        return inputs[0], []
    if not inputs:
        raise InputError(f"model {path} has no input: expected one, a batch of images")
    model = parsed(path)
    outputs = [value.name for value in graph.outputs if options.logits in (None, value.name)]
    names = set().union(*(names_needed(model.graph, output) for output in outputs))
    read = [value for value in inputs if value.name in names]
    if len(read) != 1:
        raise InputError(
            f"model {path} has {len(inputs)} inputs, {listed(inputs)}: expected one, a batch of "
            "images; export it with the others fixed"
        )
    return read[0], [value for value in inputs if value is not read[0]]


def _row_each(output: GraphValue, value: GraphValue) -> bool:
    """Whether the sides' names say that an output has a row for each image of the input `value`."""
    return None not in value.shape[:1] and output.shape[:1] == value.shape[:1]


def _unknown(value: GraphValue) -> bool:
    """Whether what an output holds of an image is not known."""
    return not value.shape or not all(isinstance(side, int) for side in value.shape[1:])
