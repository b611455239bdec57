"""A denoiser in front of a classifier as one ONNX file that has been checked against both."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.models.row_independence.proof import Proof, prove
from smoothcert.engine.models.row_independence.wording import refusal
from smoothcert.engine.models.unloadable import opset_of
from smoothcert.export.composite.classifier import (
    Classifier,
    check_sides,
    common_batch,
    input_of,
)
from smoothcert.export.composite.denoiser import Denoiser
from smoothcert.export.composite.graph import CLASSIFIER, DENOISER, assemble
from smoothcert.export.composite.opening import DRAWS_NOISE, open_denoiser
from smoothcert.export.composite.options import DenoiserOptions, Level
from smoothcert.export.composite.parity import check_parity
from smoothcert.export.composite.parts import read
from smoothcert.export.composite.report import CompositeReport
from smoothcert.export.foreign.batch import opened_batch
from smoothcert.export.foreign.canonical import serialised
from smoothcert.export.precision.reduce import ReducedModel, Reduction, reduce_precision
from smoothcert.export.precision.watching import UNWATCHED, ExportWatcher


def compose(
    classifier: Model,
    output: Path,
    options: DenoiserOptions,
    *,
    name: str | None = None,
    sha256: str | None = None,
    reduction: Reduction | None = None,
    watcher: ExportWatcher = UNWATCHED,
) -> CompositeReport:
    """Write a denoiser and a classifier as one network: denoised smoothing (Salman, Sun, Yang,
    Kapoor, Kolter 2020), or with one step of a diffusion model (schedule.py).

    classifier    an ONNX model in float32
    name, sha256  what it was made from, where that is not the file that the user gave
    The composite takes noisy [0, 1] pixels of the denoiser's size; what the classifier takes is
    resized from what the denoiser returns, and normalised inside. It is made for one noise level,
    which its metadata says. Raises InputError where the two do not fit, where either mixes the
    images of a batch or draws random numbers, and where the composite disagrees with them beyond
    float rounding; nothing is left at `output` then.
    """
    known = Classifier(classifier, name or classifier.given.name, sha256 or classifier.given_sha256)
    known.check()
    watcher.stage("joining the two networks")
    spec = classifier.spec
    level = Level.of(options)
    denoiser = open_denoiser(options, level, spec.shape)
    check_sides(denoiser, spec)
    batch = common_batch(denoiser, known)
    graph = assemble(
        denoiser,
        level,
        read(classifier.path, "classifier"),
        spec,
        classifier.num_classes,
        batch,
        options.interpolation,
    )
    own = input_of(denoiser.shape, spec)
    said = _said(denoiser, level, spec, options)
    if batch is not None:
        graph, sentence = _opened(graph, own, batch)
        said += (sentence,)
    facts = {
        "denoiser": _facts(denoiser, level, spec, options),
        "classifier": known.facts(),
        **own.to_metadata(),
        "num_classes": classifier.num_classes,
        "precision": "fp32",
        "opset": opset_of(graph),
        "versions": {name: version_of(name) for name in ("smoothcert", "torch", "onnx")},
    }
    reduced = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float32.onnx"
        _write(graph, facts, path)
        proof = prove(path, denoiser.shape)
        if proof.verdict == "refused":
            raise _refusal(denoiser.name, known.name, proof)
        parity = check_parity(denoiser, level, classifier, options.interpolation, path, watcher)
        if reduction is None:
            write_atomically(output, path.read_bytes())
        else:
            reduced = _reduced(path, output, reduction, watcher)
    return CompositeReport(output, open_onnx(output), said, parity, reduced, reduction)


def _reduced(
    composite: Path, output: Path, reduction: Reduction, watcher: ExportWatcher
) -> ReducedModel:
    """Raises InputError where the composite cannot be of a lower precision."""
    batch = open_onnx(composite).batch
    if isinstance(batch, int):
        raise InputError(
            f"the composite's batch is fixed at {batch}, so there is no {reduction.precision} of "
            "it: expected an open one; export both networks with one, or leave --precision out"
        )
    try:
        return reduce_precision(composite, output, reduction, watcher)
    except InputError:
        raise
    except Exception as error:  # what the tools raise for graphs of others is anything
        raise InputError(
            f"the composite cannot be made {reduction.precision} ({one_line(error)}): expected "
            "operators that all have such a form; leave --precision out"
        ) from None


def _opened(graph: Any, spec: InputSpec, batch: int) -> tuple[Any, str]:
    """The graph with its batch dimension opened where that can be, and a sentence on it."""
    opened = opened_batch(graph, spec, Path())
    if opened.model is None:
        return graph, f"batch fixed at {batch}: kept, since {opened.reason}"
    return opened.model, f"batch fixed at {batch}: opened, with the same logits on noisy images"


def _facts(
    denoiser: Denoiser, level: Level, taken: InputSpec, options: DenoiserOptions
) -> dict[str, Any]:
    """What the metadata says of the denoiser, and of what lies between."""
    facts = {"name": denoiser.name, "sha256": denoiser.sha256, **level.describe()}
    if denoiser.told is not None:
        facts["told"] = {denoiser.told.name: denoiser.told.value}
    if denoiser.shape[1:] != (taken.height, taken.width):
        facts["resized"] = {
            "to": [taken.height, taken.width],
            "interpolation": options.interpolation,
        }
    return facts


def _write(model: Any, facts: dict[str, Any], path: Path) -> None:
    onnx = require("onnx", "export", "exporting to ONNX")
    content = serialised(model, facts)
    try:
        onnx.checker.check_model(content)
    except Exception as error:  # the checker's errors share no public base class
        raise InputError(
            f"the denoiser and the classifier make no valid ONNX model ({one_line(error)}): "
            "expected networks that onnx.checker accepts; export them again"
        ) from None
    path.write_bytes(content)


def _refusal(denoiser: str, classifier: str, proof: Proof) -> InputError:
    """One line for a composite that is no function of a row, with the network to blame."""
    of_denoiser = proof.node.startswith(DENOISER)
    node = proof.node.removeprefix(DENOISER).removeprefix(CLASSIFIER)
    if of_denoiser and proof.kind == "chance":
        return InputError(
            f"denoiser {denoiser}, node {node!r} ({proof.operator}): it {proof.reason}; "
            f"{DRAWS_NOISE}"
        )
    return refusal(Path(denoiser if of_denoiser else classifier), replace(proof, node=node))


def _said(
    denoiser: Denoiser, level: Level, spec: InputSpec, options: DenoiserOptions
) -> tuple[str, ...]:
    channels, height, width = denoiser.shape
    sentences = [
        f"denoiser {denoiser.name} takes and returns pixels in {level.low:g}..{level.high:g}",
        level.sentence(),
    ]
    if denoiser.told is not None:
        sentences.append(f"its input {denoiser.told.name} is {denoiser.told.value:g}")
    if denoiser.channels != channels:
        sentences.append(
            f"of its {denoiser.channels} channels the first {channels} are taken, the others are a "
            "learned variance"
        )
    if (height, width) != (spec.height, spec.width):
        sentences.append(
            f"between the two: {options.interpolation}, {height}x{width} to "
            f"{spec.height}x{spec.width}"
        )
    if spec.mean or spec.std:
        sentences.append(
            f"the classifier normalises inside: mean {spec.mean or 'none'}, "
            f"std {spec.std or 'none'}"
        )
    return tuple(sentence for sentence in sentences if sentence)
