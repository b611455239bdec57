"""Model files: what they are, what they expect, and their digest."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.input_spec import SCALAR_BYTES, InputSpec, Scalar, precision_of
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.base.ranges import BATCH, CLASSES
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.base.wording import shown
from smoothcert.engine.models.metadata import metadata_of
from smoothcert.engine.models.onnx_graph import Graph, GraphValue, inspect_graph
from smoothcert.engine.models.openvino_ir import ir_files, is_ir
from smoothcert.engine.models.unloadable import data_names, missing_data, parsed

if TYPE_CHECKING:
    import torch


COMPOSITE = ("denoiser", "classifier")
"""Entries of the metadata of a denoiser and a classifier as one network: each with its name and
sha256, and the noise level that the first is made for."""


@dataclass(frozen=True)
class Origin:
    """The file that a user gave, where what runs was written from it.

    sha256   of that file (and of its external data, if any): the model's identity in a manifest,
             since the file that runs depends on the versions that wrote it
    adapted  how, for the manifest: whoever has the file and these options can do it again
    """

    path: Path
    sha256: str
    adapted: dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A model file that a backend can run.

    sha256    of the file (and of its external data, if any)
    batch     its batch dimension: a fixed size, a symbol's name, or None (open, unnamed)
    metadata  what `smoothcert export` recorded; empty for a foreign model
    input_type  what the network's first input is made of: the affine's float32 is rounded to it
                once (a half model takes half inputs)
    module      makes the torch module that it was exported from, where the checkpoint is at hand
    origin      the user's file, where `path` was written from it
    said        what was inferred of it, a sentence each
    """

    path: Path
    sha256: str
    spec: InputSpec
    num_classes: int
    batch: int | str | None
    metadata: dict[str, Any]
    input_type: Scalar = "float32"
    module: "Callable[[], torch.nn.Module] | None" = field(default=None, compare=False)
    origin: Origin | None = field(default=None, compare=False)
    said: tuple[str, ...] = field(default=(), compare=False)

    @property
    def given(self) -> Path:
        """The file that the user gave: the one to name to him."""
        return self.path if self.origin is None else self.origin.path

    @property
    def given_sha256(self) -> str:
        """Of that file."""
        return self.sha256 if self.origin is None else self.origin.sha256

    @property
    def precision(self) -> str:
        """The precision it was exported in: fp32, fp16, bf16, int8 or fp8. Of a foreign model, that
        of its input."""
        return str(self.metadata.get("precision", precision_of(self.input_type)))

    def batch_for(self, asked: int | None) -> int | None:
        """The rows of every batch: its own where that is fixed, else those asked for.

        Raises InputError where both are given and differ.
        """
        return batch_of(self.given, self.batch, asked)

    def describe(self) -> dict[str, Any]:
        """What the manifest records and a resumed run compares."""
        return {
            "name": self.given.name,
            "sha256": self.given_sha256,
            "classes": self.num_classes,
            "arch": self.metadata.get("arch"),
            "precision": self.precision,
            **self.spec.to_metadata(),
            **({} if self.origin is None else {"adapted": self.origin.adapted}),
            **{name: self.metadata[name] for name in COMPOSITE if name in self.metadata},
        }


def batch_of(path: Path, own: int | str | None, asked: int | None) -> int | None:
    """Model.batch_for of a model file whose batch dimension is `own`."""
    if not isinstance(own, int):
        return asked
    if asked not in (None, own):
        raise InputError(
            f"batch {asked} does not fit model {path}, whose batch is fixed at {own}: leave "
            "--batch out, or export with an open batch dimension"
        )
    return own


def check_file(path: Path, kind: str) -> Path:
    """Return path; raises InputError unless it is a readable, non-empty regular file."""
    with open_regular(path, what=kind) as file:
        empty = not file.read(1)
    if empty:
        raise InputError(f"{kind} {path} is empty (0 bytes): expected a model; make it again")
    return path


def open_onnx(path: Path, graph: Graph | None = None, sha256: str | None = None) -> Model:
    """Read an ONNX classifier's input, classes, metadata and digest.

    graph, sha256  of the file, where they are known: what inspect_graph and onnx_digest say
    The first input must be float32, float16 or bfloat16 [N, C, H, W] with fixed C, H, W; the
    first output [N, K]. Raises InputError with the reason otherwise. A half-precision model is
    described even where ONNX Runtime cannot run it.
    """
    check_file(path, "model")
    graph = graph or inspect_graph(path)
    inputs, outputs = graph.inputs, graph.outputs
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs)
        raise InputError(
            f"model {path} has {len(inputs)} inputs ({names}): expected one, images NCHW"
        )
    shape = inputs[0].shape
    input_type = inputs[0].scalar
    if input_type is None or len(shape) != 4:
        raise InputError(
            f"model {path} takes {inputs[0].type} {shape}: expected float32, float16 or bfloat16 "
            "[N, C, H, W]; export it again"
        )
    sides = [side for side in shape[1:] if isinstance(side, int)]
    if len(sides) != 3:
        raise InputError(
            f"model {path} leaves its input shape {shape} open: expected fixed C, H, W; "
            "export it with --input-shape C,H,W"
        )
    classes = _num_classes(path, outputs[0])
    metadata = metadata_of(path, graph.metadata)
    if metadata:
        spec = InputSpec.from_metadata(metadata)
        if list(spec.shape) != sides:
            raise InputError(
                f"model {path} takes {sides} but its metadata says {list(spec.shape)}: "
                "expected them to agree; export it again"
            )
    else:
        spec = InputSpec.of_shape(*sides)
    batch = shape[0] if isinstance(shape[0], int | str) else None
    if isinstance(batch, int):
        check_batch(f"model {path}", batch, spec)
    return Model(path, sha256 or onnx_digest(path), spec, classes, batch, metadata, input_type)


def _num_classes(path: Path, output: GraphValue) -> int:
    shape = output.shape
    classes = shape[1] if len(shape) == 2 else None
    if not isinstance(classes, int) or classes < 1:
        raise InputError(
            f"model {path} returns {shape}: expected logits [N, K] with a fixed number of classes"
        )
    check_classes(f"model {path}", classes)
    return classes


def check_classes(name: str, classes: int) -> None:
    """Raise InputError for a classifier of one class: it would win every vote, and every radius
    would be the largest that n votes can certify. And for one of more than a row of logits may
    have."""
    if classes < 2:
        raise InputError(
            f"{name} has {classes} output per image: expected logits of at least 2 classes, since "
            "one class always wins and no radius would mean a thing; export it with two logits"
        )
    if not CLASSES.holds(classes):
        raise InputError(
            f"{name} has {shown(classes)} outputs per image: expected logits of at most "
            f"{CLASSES.high:,} classes ({CLASSES.why})"
        )


def check_batch(name: str, batch: int, spec: InputSpec) -> None:
    """Raise InputError for a fixed batch that is none, or whose rows no run has memory for."""
    if not BATCH.holds(batch):
        raise InputError(
            f"{name} takes a batch of {shown(batch)} images: expected an open batch dimension or a "
            f"fixed one of {BATCH.low} to {BATCH.high:,}; export it again"
        )
    size = batch * spec.num_pixels * SCALAR_BYTES["float32"]
    check_fits(size, f"{name}, whose batch is fixed at {batch},", "an open batch dimension")


def model_files(path: Path) -> list[Path]:
    """A model's file and those it cannot do without, which lie beside it or below."""
    return ir_files(path) if is_ir(path) else [path, *external_data(path)]


def external_data(path: Path) -> list[Path]:
    """The files beside an ONNX file that hold its large tensors, in name order.

    Raises InputError for a name that leads out of the file's folder.
    """
    names = data_names(parsed(path))
    for name in names:
        if not name or Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
            raise InputError(
                f"model {path} keeps its weights in {shown(name)}: expected a file beside it or "
                "below; save the model again"
            )
    return [path.parent / name for name in names]


def onnx_digest(path: Path) -> str:
    """The SHA-256 of an ONNX file and of its external data; raises InputError where a part of it is
    missing, or is no regular file."""
    files = model_files(path)
    if not all(file.exists() for file in files):
        raise InputError(f"model {path} {missing_data(path) or 'went away'}")
    return file_digest(*files, expected="what a model is made of")
