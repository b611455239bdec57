"""`smoothcert export foreign.onnx`: the file that `certify foreign.onnx` would adapt, for keeps."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.models.model import Model, check_file, onnx_digest, open_onnx
from smoothcert.engine.models.onnx_graph import inspect_graph
from smoothcert.engine.models.row_independence.proof import prove
from smoothcert.engine.models.row_independence.wording import refusal
from smoothcert.engine.models.unloadable import opset_of, parsed
from smoothcert.export.agreement import Parity, check_float_noise, compare_votes, random_images
from smoothcert.export.composite.noise_level import check_sigma
from smoothcert.export.foreign.adapting import adapted_file
from smoothcert.export.foreign.given_network import GivenNetwork
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions
from smoothcert.export.foreign.reading import Reading, read_foreign
from smoothcert.export.lines import preprocessing_line, reduced_lines
from smoothcert.export.precision.reduce import ReducedModel, Reduction, reduce_precision
from smoothcert.export.precision.watching import UNWATCHED, ExportWatcher

_SIGMA, _SAMPLES, _BATCH = 0.25, 8, 8
_OLDEST_QUANTISED = 13
"""The opset since which a layer's weights may have a scale per channel."""


@dataclass(frozen=True)
class ForeignExport:
    """What was written.

    model      it, opened
    sha256     of the file that was given
    said       what was inferred of it, in sentences
    parity     of the float model with the file as it was given; None where ONNX Runtime runs
               neither on a CPU, and for a file that had metadata of ours already
    reduced    how a model of lower precision, made from it, disagrees with it
    reduction  to which precision
    """

    model: Model
    sha256: str
    said: tuple[str, ...] = ()
    parity: Parity | None = None
    reduced: ReducedModel | None = None
    reduction: Reduction | None = None

    def lines(self) -> list[str]:
        """What to print of it."""
        spec = self.model.spec
        return [
            f"{self.model.path}: {self.model.num_classes} classes, input {spec.shape}",
            *self.said,
            preprocessing_line(spec),
            f"model sha256 {self.sha256}",
            *([] if self.parity is None else [self.parity.line()]),
            *([] if self.reduced is None else reduced_lines(self.reduced, self.reduction)),
        ]


def export_onnx(
    path: Path,
    output: Path,
    options: ModelOptions,
    reduction: Reduction | None = None,
    watcher: ExportWatcher = UNWATCHED,
) -> ForeignExport:
    """Write a canonical ONNX file of the one at `path`, with its preprocessing in the metadata.

    It is run beside the file as it was given, on the same noisy images. With a `reduction` it is
    only a step on the way to a model of lower precision, which is what `output` gets; a float32
    file with metadata of ours may be reduced too. Raises InputError for what cannot be read in one
    way, mixes the images of a batch or draws random numbers, or computes something else once it is
    adapted (nothing is left at `output` then).
    """
    check_file(path, "model")
    sha256 = onnx_digest(path)
    graph = inspect_graph(path)
    if METADATA_KEY in graph.metadata:
        return _reduced_own(path, output, options, reduction, sha256, watcher)
    watcher.stage("reading the file")
    reading = read_foreign(path, graph, options)
    file = adapted_file(path, reading)
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "adapted.onnx"
        exported.write_bytes(file.content)
        model = open_onnx(exported)
        proof = prove(exported, model.spec.shape)
        if proof.verdict == "refused" and proof.kind != "dynamic quantisation":
            raise refusal(path, proof)
        alone = proof.kind == "dynamic quantisation"
        parity = _parity(path, reading, model, 1 if alone else _BATCH, watcher)
        reduced = None
        if reduction is None:
            write_atomically(output, file.content)
        else:
            if alone:
                raise refusal(path, proof)
            reduced = _reduce(path, exported, model, output, reduction, watcher)
    return ForeignExport(open_onnx(output), sha256, file.said, parity, reduced, reduction)


def _reduced_own(
    path: Path,
    output: Path,
    options: ModelOptions,
    reduction: Reduction | None,
    sha256: str,
    watcher: ExportWatcher,
) -> ForeignExport:
    if options != NOTHING_SAID or reduction is None:
        raise InputError(
            f"model {path} has its preprocessing in its metadata already: expected a file of "
            "others'; certify it as it is, or give --precision alone to make another of it"
        )
    model = open_onnx(path)
    if reduction.sigma is not None:
        check_sigma(model, reduction.sigma)
    reduced = _reduce(path, path, model, output, reduction, watcher)
    return ForeignExport(open_onnx(output), sha256, (), None, reduced, reduction)


def _parity(
    path: Path, reading: Reading, model: Model, batch: int, watcher: ExportWatcher
) -> Parity | None:
    """Of the adapted model with the file as it was given; None for bfloat16, which ONNX Runtime
    does not run on a CPU. Raises InputError where they disagree beyond float rounding."""
    if model.input_type == "bfloat16":
        return None
    if isinstance(model.batch, int):
        batch = model.batch
    given = GivenNetwork(path, reading.taken, reading.returned, batch)
    adapted = OnnxRuntimeNetwork(model, batch)
    images = random_images(model.spec.shape)
    watcher.stage("comparing votes with the given file", len(images) * _SAMPLES)
    parity = compare_votes(given, adapted, images, _SIGMA, _SAMPLES, ran=watcher.ran)
    check_float_noise(parity, "the adapted file disagrees with the given one", "the model")
    return parity


def _reduce(
    path: Path,
    source: Path,
    model: Model,
    output: Path,
    reduction: Reduction,
    watcher: ExportWatcher,
) -> ReducedModel:
    """reduce_precision, whose tools raise anything for graphs that are not ours."""
    opset = opset_of(parsed(source)) or 0
    if model.precision != "fp32":
        raise InputError(
            f"model {path} is of precision {model.precision}: expected float32 to make "
            f"{reduction.precision} of"
        )
    if isinstance(model.batch, int):
        raise InputError(
            f"model {path} has its batch fixed at {model.batch}: expected an open one to make "
            f"{reduction.precision} of; export it with one"
        )
    if reduction.precision in ("int8", "fp8") and opset < _OLDEST_QUANTISED:
        raise InputError(
            f"model {path} is of opset {opset}: expected {_OLDEST_QUANTISED} or newer to make "
            f"{reduction.precision} of; convert it (onnx.version_converter)"
        )
    try:
        return reduce_precision(source, output, reduction, watcher)
    except InputError:
        raise
    except Exception as error:  # of the quantiser, for a graph that it was not made for
        raise InputError(
            f"model {path} cannot be made {reduction.precision} ({one_line(error, 120)}): expected "
            "a plain network of convolutions and matrix products; certify it in fp32"
        ) from None
