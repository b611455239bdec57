"""OpenVINO IR of anyone's opened: as it is where that is canonical, else between nodes of ours."""

import json
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.backends.probe import ROUNDING
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.files import cache_entry, file_digest, move_atomically, write_atomically
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.metadata import metadata_of
from smoothcert.engine.models.model import Model, Origin, check_batch
from smoothcert.engine.models.openvino_ir import check_version, ir_files, network_of
from smoothcert.engine.models.row_independence.wording import refusal
from smoothcert.export.foreign.batch_agreement import example_rows
from smoothcert.export.foreign.contradiction import check_agrees
from smoothcert.export.foreign.input_reading import InputReading, read_input
from smoothcert.export.foreign.logits_reading import LogitsReading, read_logits
from smoothcert.export.foreign.openvino_graph import IrGraph
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions

ADAPTER = 2
"""The version of what is inferred and written; an adapted file is no older than it is."""

_SAID = "OpenVINO IR, which openvino runs"
_ROWS = 4
_FLOATS = ("float32", "float16", "bfloat16")


def open_ir(path: Path, options: ModelOptions = NOTHING_SAID) -> Model:
    """Open OpenVINO IR: an .xml with its .bin beside it, or a folder that holds the two.

    Where the network is not canonical (channels last, bytes, [N, K, 1, 1], ...), one around it is
    written into the user's cache. A fixed batch is opened where the network, reshaped, gives the
    same logits. Raises InputError, in one line, for missing weights, where openvino is not
    installed, and for what is no classifier of images or can be read in more than one way.
    """
    network = network_of(path)
    sha256 = file_digest(*ir_files(network))
    check_version(network)
    graph = IrGraph(network)
    metadata = metadata_of(network, graph.properties)
    if chance := graph.chance():
        raise refusal(network, chance)
    taken = _taken(network, graph, metadata, options)
    graph.fix(taken)
    returned = read_logits(network, graph.outputs_for(taken), taken.batch, options)
    if metadata:
        check_agrees(network, taken.spec, options, metadata.get("adapted"), returned.name)
    adapted: dict[str, Any] = {**taken.adapted, **returned.adapted}
    said, batch = [_SAID, *taken.said, *returned.said], taken.batch
    entry = _entry(network, sha256, options, graph.version)
    if batch is not None:
        reason = _remembered_reason(graph, taken, returned, entry.with_suffix(".json"))
        if reason:
            said.append(f"batch fixed at {batch}: kept, since {reason}")
        else:
            said.append(f"batch fixed at {batch}: opened, the logits stay the same")
            adapted["batch"], batch = "opened", None
    given = {} if metadata else options.to_record()
    if given:
        adapted = {"options": given, **adapted}
    runs = network if _is_plain(graph, taken, returned) else entry
    if runs is entry and not all(entry.with_suffix(s).exists() for s in (".xml", ".bin")):
        _write(graph, taken, returned, entry)
    if graph.quantised:
        metadata = {"precision": "int8", **metadata}
    return Model(
        runs,
        sha256 if runs is network else file_digest(*ir_files(runs)),
        taken.spec,
        returned.classes,
        batch,
        metadata,
        origin=Origin(network, sha256, adapted) if adapted else None,
        said=tuple(said),
    )


def _taken(
    network: Path, graph: IrGraph, metadata: dict[str, Any], options: ModelOptions
) -> InputReading:
    inputs = graph.inputs
    if len(inputs) != 1:
        listed = "; ".join(map(str, inputs)) or "none"
        raise InputError(
            f"model {network} has {len(inputs)} inputs, {listed}: expected one, a batch of images"
        )
    (value,) = inputs
    if not metadata:
        _check_noted(network, graph, options)
        return read_input(network, value, options)
    spec = InputSpec.from_metadata(metadata)
    pairs = zip_longest(value.shape[1:], spec.shape, fillvalue=0)
    if any(side not in (None, recorded) for side, recorded in pairs):
        raise InputError(
            f"model {network} takes {value} but its metadata says {list(spec.shape)}: expected "
            "them to agree; convert it again from the ONNX file"
        )
    batch = value.shape[0] if isinstance(value.shape[0], int) else None
    if batch is not None:
        check_batch(f"model {network}", batch, spec)
    return InputReading(value.name, value.made_of, "nchw", spec, batch)


def _check_noted(network: Path, graph: IrGraph, options: ModelOptions) -> None:
    """Raise InputError where the file notes a normalisation that no option says."""
    noted = {name: graph.noted(f"{name}_values") for name in ("mean", "scale")}
    if options.normalises or not any(noted.values()):
        return
    said = ", ".join(f"{name}_values {values}" for name, values in noted.items() if values)
    raise InputError(
        f"model {network} notes {said}, of pixels 0..255, and does not apply them itself: give "
        "them divided by 255, in the order of R, G, B, as --mean and --std (or --input-range 0,1 "
        "where it takes [0,1] pixels after all)"
    )


def _is_plain(graph: IrGraph, taken: InputReading, returned: LogitsReading) -> bool:
    """Whether the network runs as it is."""
    outputs = graph.outputs
    as_images = taken.arrangement == "nchw" and taken.number_type in _FLOATS
    as_logits = len(returned.shape) == 2 and returned.threshold is None
    return as_images and as_logits and len(outputs) == 1 and returned.number_type in _FLOATS


def _remembered_reason(
    graph: IrGraph, taken: InputReading, returned: LogitsReading, note: Path
) -> str:
    """why_kept, once per content."""
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        found = None
    if isinstance(found, str):
        return found
    reason = why_kept(graph, taken, returned)
    write_atomically(note, json.dumps(reason).encode())
    return reason


def why_kept(graph: IrGraph, taken: InputReading, returned: LogitsReading) -> str:
    """Why a network with a fixed batch cannot have another; empty where it can: rows in batches of
    other sizes are given the logits that they have in the file's."""
    assert taken.batch is not None
    size = taken.batch
    rows = example_rows(taken.spec, max(size, _ROWS) // size * size).reshape(
        -1, taken.spec.num_pixels
    )
    expected = graph.logits(rows, size, taken, returned)
    allowed = ROUNDING["fp32"] * float(np.abs(expected).max(initial=0.0))
    if graph.quantised:
        allowed *= 10
    last = len(rows) - 1
    for places in ([*range(last, -1, -1), 0], [1 % len(rows)]):
        try:
            found = graph.logits(rows[places], len(places), taken, returned)
        except InputError as error:
            return f"it cannot be reshaped to {len(places)} ({one_line(error, 200)})"
        wanted = expected[places]
        if found.shape != wanted.shape or not (abs(found - wanted) <= allowed).all():
            return f"a batch of {len(places)} gives other logits"
    return ""


def _entry(network: Path, sha256: str, options: ModelOptions, version: str) -> Path:
    """The file of the cache that is written for this network and these options."""
    question = [sha256, options.to_record(), ADAPTER, version]
    return cache_entry("models", question, ".xml", network.stem)


def _write(graph: IrGraph, taken: InputReading, returned: LogitsReading, entry: Path) -> None:
    """The weights first: who sees the network sees them too."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / entry.name
        graph.write_canonical(taken, returned, draft)
        for suffix in (".bin", ".xml"):
            move_atomically(draft.with_suffix(suffix), entry.with_suffix(suffix))
