"""From a checkpoint to an ONNX model that has been checked against it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import InputSpec, Interpolation
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.models.row_independence.proof import prove
from smoothcert.engine.models.row_independence.wording import refusal
from smoothcert.export.agreement import Parity, check_float_noise, compare_votes
from smoothcert.export.architectures import CIFAR, IMAGENET, architecture
from smoothcert.export.checkpoint import inferred_classes, load_weights, read_checkpoint
from smoothcert.export.datasets import DATASETS, Dataset
from smoothcert.export.onnx_model import write_onnx
from smoothcert.export.precision.reduce import ReducedModel, Reduction, reduce_precision

_PARITY_SIGMA = 0.25
_PARITY_IMAGES = 8


@dataclass(frozen=True)
class ExportReport:
    """What was exported: `assumed` names what the checkpoint did not say and its arch implied.

    parity is that of the float32 model with the checkpoint; `reduced` tells how a model of lower
    precision, made from it, disagrees with it.
    """

    path: Path
    arch: str
    num_classes: int
    spec: InputSpec
    checkpoint_sha256: str
    parity: Parity
    assumed: str | None
    reduced: ReducedModel | None = None


def export_checkpoint(
    path: Path,
    output: Path,
    *,
    arch: str | None = None,
    dataset: str | None = None,
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    resize: int | None = None,
    interpolation: Interpolation | None = None,
    reduction: Reduction | None = None,
) -> ExportReport:
    """Export a checkpoint; options override what it says about itself.

    A normalisation that the original code keeps outside the state dict is looked up by dataset.
    It is not part of the graph: it goes into the input spec, where the noise's affine applies it.
    Torch and ONNX Runtime then vote on the same noisy images. With a `reduction` the float32
    model is only a step on the way to one of lower precision, which is what `output` gets.
    Raises InputError where something is missing or does not fit, and where they disagree beyond
    float rounding, and for an architecture that mixes the images of a batch or draws random numbers
    (nothing is left at `output` then).
    """
    checkpoint = read_checkpoint(path)
    facts = checkpoint.facts
    arch = arch or facts.get("arch")
    if not isinstance(arch, str):
        raise InputError(
            f"checkpoint {path} does not name its architecture: export it with "
            "`smoothcert export --arch NAME`"
        )
    name, assumed = _dataset_name(arch, dataset, facts)
    implied = DATASETS.get(name or "")
    num_classes = (
        num_classes
        or _integer(facts.get("num_classes"))
        or inferred_classes(checkpoint.state)
        or (implied.num_classes if implied else None)
    )
    if num_classes is None:
        raise InputError(f"checkpoint {path} does not tell its classes: give --num-classes")
    spec = _spec(path, facts, implied, input_shape, mean, std, resize, interpolation)
    module = architecture(arch, num_classes, spec.shape)
    load_weights(module, checkpoint, arch)
    metadata = {"arch": arch, "dataset": name, "checkpoint_sha256": checkpoint.sha256}
    reduced = None
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "float32.onnx"
        write_onnx(module, spec, num_classes, exported, metadata)
        proof = prove(exported, spec.shape)
        if proof.verdict == "refused":
            raise refusal(output, proof)
        parity = _parity(module, exported, spec, num_classes)
        check_float_noise(parity)
        if reduction is None:
            write_atomically(output, exported.read_bytes())
        else:
            reduced = reduce_precision(exported, output, reduction)
    return ExportReport(
        output, arch, num_classes, spec, checkpoint.sha256, parity, assumed, reduced
    )


def _dataset_name(
    arch: str, dataset: str | None, facts: dict[str, Any]
) -> tuple[str | None, str | None]:
    """The dataset's name, and a sentence where it was only implied by the architecture."""
    name = dataset or facts.get("dataset")
    if name is not None:
        if name not in DATASETS and (dataset is not None or not facts.get("input_shape")):
            raise InputError(f"dataset {name!r} is unknown: expected {', '.join(DATASETS)}")
        return str(name), None
    if "mean" in facts or "input_shape" in facts:
        return None, None
    implied = "cifar10" if arch in CIFAR else "imagenet" if arch in IMAGENET else None
    return implied, f"dataset {implied}, as its architecture {arch} implies" if implied else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _spec(
    path: Path,
    facts: dict[str, Any],
    implied: Dataset | None,
    input_shape: tuple[int, int, int] | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    resize: int | None,
    interpolation: Interpolation | None,
) -> InputSpec:
    shape = input_shape or facts.get("input_shape") or (implied.shape if implied else None)
    if shape is None or len(shape) != 3:
        raise InputError(
            f"checkpoint {path} does not tell its input: give --dataset or --input-shape C,H,W"
        )

    def first(option: Any, key: str, default: Any) -> Any:
        return option if option is not None else facts.get(key, default)

    channels, height, width = map(int, shape)
    default = InputSpec.of_shape(channels, height, width)
    return InputSpec(
        channels,
        height,
        width,
        mean=tuple(map(float, first(mean, "mean", implied.mean if implied else ()))),
        std=tuple(map(float, first(std, "std", implied.std if implied else ()))),
        resize=first(resize, "resize", implied.resize if implied else default.resize),
        interpolation=first(interpolation, "interpolation", "bilinear"),
    )


def _parity(module: Any, output: Path, spec: InputSpec, num_classes: int) -> Parity:
    from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
    from smoothcert.engine.backends.host.torch_network import TorchNetwork

    images = [
        np.random.default_rng(i).integers(0, 256, spec.shape).astype(np.uint8)
        for i in range(_PARITY_IMAGES)
    ]
    torch_network = TorchNetwork(module.eval(), spec, num_classes, batch=8)
    runtime = OnnxRuntimeNetwork(open_onnx(output), batch=8)
    return compare_votes(torch_network, runtime, images, _PARITY_SIGMA)
