"""From a checkpoint, a factory or a folder to an ONNX model that has been checked against it."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import InputSpec, Interpolation
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.models.row_independence.proof import prove
from smoothcert.engine.models.row_independence.wording import refusal
from smoothcert.export.agreement import Parity, check_float_noise, compare_votes
from smoothcert.export.architectures import CIFAR, IMAGENET, from_factory, is_factory
from smoothcert.export.architectures.guess import resembled
from smoothcert.export.checkpoint import Checkpoint, inferred_classes, read_checkpoint
from smoothcert.export.checkpoint_facts import Facts, Wishes, implied_dataset, input_spec
from smoothcert.export.checkpoint_network import Asked, load_network
from smoothcert.export.datasets import DATASETS, Dataset
from smoothcert.export.huggingface.spelling import folder_of
from smoothcert.export.logits import classes_of, returning_logits
from smoothcert.export.onnx_model import EXPORTERS, Exporter, write_onnx
from smoothcert.export.precision.reduce import ReducedModel, Reduction, reduce_precision

if TYPE_CHECKING:
    from torch import nn

_PARITY_SIGMA = 0.25
_PARITY_IMAGES = 8
_SAME = 1e-6  # of the largest logit: float rounding


@dataclass(frozen=True)
class Classifier:
    """A network with its weights, and what is known of it.

    sha256    of the file or files that its weights are from; of the weights where there are none
    assumed   what nothing said and its architecture implied
    said      what was inferred, a sentence each; recorded: the same for the metadata
    """

    module: "nn.Module"
    arch: str
    num_classes: int
    spec: InputSpec
    sha256: str
    dataset: str | None = None
    assumed: str | None = None
    said: tuple[str, ...] = ()
    recorded: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportReport:
    """What was exported: `assumed` names what the checkpoint did not say and its arch implied.

    parity is that of the float32 model with the checkpoint; `reduced` tells how a model of lower
    precision, made from it, disagrees with it. `said` has a sentence for each thing inferred,
    `warnings` for what is likely to be a mistake.
    """

    path: Path
    arch: str
    num_classes: int
    spec: InputSpec
    checkpoint_sha256: str
    parity: Parity
    assumed: str | None
    reduced: ReducedModel | None = None
    said: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def export_checkpoint(
    path: Path | None,
    output: Path,
    *,
    arch: str | None = None,
    dataset: str | None = None,
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    input_range: tuple[float, float] | None = None,
    resize: int | None = None,
    interpolation: Interpolation | None = None,
    weights: str | None = None,
    ignore: Sequence[str] = (),
    reduction: Reduction | None = None,
) -> ExportReport:
    """Export a checkpoint; options override what it says about itself.

    path     a checkpoint; a folder of a Hugging Face image classifier, or `hf:` and one; None
             where `arch` is `pkg.module:factory`, whose module is trained, or `hf:` and a folder
    weights  the set of weights in the checkpoint, where there is more than one
    ignore   prefixes of names of weights that are no part of the network

    A normalisation that the original code keeps outside the state dict is looked up by dataset.
    It is not part of the graph: it goes into the input spec, where the noise's affine applies it.
    Torch and ONNX Runtime then vote on the same noisy images. With a `reduction` the float32
    model is only a step on the way to one of lower precision, which is what `output` gets.
    Raises InputError where something is missing or does not fit, and where they disagree beyond
    float rounding, and for an architecture that mixes the images of a batch or draws random numbers
    (nothing is left at `output` then).
    """
    wishes = Wishes(num_classes, dataset, input_shape, mean, std, input_range, resize,
                    interpolation)  # fmt: skip
    return export_network(opened(path, arch, wishes, weights, ignore), output, reduction)


def opened(
    path: Path | None,
    arch: str | None,
    wishes: Wishes,
    weights: str | None = None,
    ignore: Sequence[str] = (),
) -> Classifier:
    """The network that `export_checkpoint` exports, with its weights. Raises InputError as that."""
    folder = folder_of(path) or folder_of(arch)
    trained = path is None or folder is not None
    if trained and (weights is not None or ignore):
        option = f"--weights {weights}" if weights is not None else f"--ignore {ignore[0]}"
        raise InputError(f"{option} is of a checkpoint's names, and there is none: leave it out")
    if folder is not None:
        return _of_folder(path, arch, folder, wishes)
    if path is None:
        return _of_factory(arch, wishes)
    return _of_checkpoint(read_checkpoint(path), arch, wishes, weights, ignore)


def _of_folder(path: Path | None, arch: str | None, folder: Path, wishes: Wishes) -> Classifier:
    from smoothcert.export.huggingface.library import open_folder

    if path is not None and arch is not None:
        raise InputError(
            f"{path} and --arch {arch} both say what the network is: expected a folder alone, or "
            "an architecture and a checkpoint; leave one out"
        )
    found = open_folder(folder, wishes)
    return Classifier(found.module, found.arch, found.num_classes, found.spec, found.sha256,
                      said=found.said, recorded=found.recorded)  # fmt: skip


def _of_factory(arch: str | None, wishes: Wishes) -> Classifier:
    if arch is None or not is_factory(arch):
        raise InputError(
            f"architecture {arch} has random weights without a checkpoint: give one, or --arch "
            "pkg.module:factory of a factory that returns a trained module"
            if arch
            else "nothing to export: give a checkpoint, an ONNX file, hf:FOLDER, or --arch "
            "pkg.module:factory of a factory that returns a trained module"
        )
    facts = Facts(f"architecture {arch}", {})
    name, assumed = _dataset_name(arch, wishes, facts)
    implied = implied_dataset(name)
    spec = input_spec(facts, implied, wishes)
    module = returning_logits(from_factory(arch, wishes.num_classes), spec.shape)
    classes = wishes.num_classes or classes_of(module, spec.shape, arch)
    said = (f"weights as {arch} returns them", *_unsaid(facts, implied, wishes))
    return Classifier(module, arch, classes, spec, state_digest(module), name, assumed, said,
                      {"weights": "the factory's"})  # fmt: skip


def _of_checkpoint(
    checkpoint: Checkpoint,
    arch: str | None,
    wishes: Wishes,
    weights: str | None,
    ignore: Sequence[str],
) -> Classifier:
    path = checkpoint.path
    facts = Facts.of(path, checkpoint.facts)
    arch = arch or facts.arch()
    if arch is None:
        raise InputError(
            f"checkpoint {path} does not name its architecture: export it with "
            f"`smoothcert export --arch NAME`{_resemblance(checkpoint)}"
        )
    name, assumed = _dataset_name(arch, wishes, facts)
    implied = implied_dataset(name)
    spec = input_spec(facts, implied, wishes)
    asked = Asked(
        weights,
        tuple(ignore),
        wishes.num_classes or facts.num_classes(),
        implied.num_classes if implied else None,
    )
    loaded = load_network(checkpoint, arch, spec.shape, asked)
    module = returning_logits(loaded.module, spec.shape)
    classes = asked.num_classes or classes_of(module, spec.shape, arch)
    said = (*loaded.said, *_unsaid(facts, implied, wishes))
    return Classifier(module, arch, classes, spec, checkpoint.sha256, name, assumed, said,
                      loaded.recorded)  # fmt: skip


def export_network(
    network: Classifier, output: Path, reduction: Reduction | None = None
) -> ExportReport:
    """Write a network as ONNX, checked against it; see export_checkpoint."""
    metadata = {
        "arch": network.arch,
        "dataset": network.dataset,
        "checkpoint_sha256": network.sha256,
        **({"inferred": network.recorded} if network.recorded else {}),
    }
    reduced = None
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "float32.onnx"
        exporter, parity = _write_checked(network, exported, metadata, output)
        if reduction is None:
            write_atomically(output, exported.read_bytes())
        else:
            reduced = reduce_precision(exported, output, reduction)
    said = network.said
    if exporter != EXPORTERS[0]:
        said += ("written by torch's older exporter: the newer one cannot write this network",)
    return ExportReport(
        output,
        network.arch,
        network.num_classes,
        network.spec,
        network.sha256,
        parity,
        network.assumed,
        reduced,
        said,
        _warnings(network),
    )


def _write_checked(
    network: Classifier, path: Path, metadata: dict[str, Any], output: Path
) -> tuple[Exporter, Parity]:
    """Write with the first exporter whose file agrees with the network.

    Raises InputError where a file proves that the network mixes images, and, where none agrees,
    what is wrong with the first one's.
    """
    left: Sequence[Exporter] = EXPORTERS
    first: InputError | None = None
    while left:
        try:
            exporter = write_onnx(
                network.module, network.spec, network.num_classes, path, metadata, left
            )
        except InputError as error:
            raise first or error from None
        left = left[left.index(exporter) + 1 :]
        proof = prove(path, network.spec.shape)
        if proof.verdict == "refused":
            raise refusal(output, proof)
        try:
            parity = _parity(network, path)
            check_float_noise(parity)
        except InputError as error:
            first = first or error
        else:
            return exporter, parity
    assert first is not None
    raise first


def _parity(network: Classifier, path: Path) -> Parity:
    """How far the file at `path` agrees with the network, at another batch size than it was
    written with; raises InputError where it does not run."""
    from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
    from smoothcert.engine.backends.host.torch_network import TorchNetwork

    spec, classes = network.spec, network.num_classes
    torch_network = TorchNetwork(network.module.eval(), spec, classes, batch=8)
    try:
        runtime = OnnxRuntimeNetwork(open_onnx(path), batch=8)
        return compare_votes(torch_network, runtime, _images(spec), _PARITY_SIGMA)
    except InputError:
        raise
    except Exception as error:  # the runtime's exceptions share no public base class
        raise InputError(
            f"the exported network does not run in batches of 8 ({one_line(error)}): expected it "
            "to take any number of images; write its forward() so"
        ) from None


def _images(spec: InputSpec) -> list[Any]:
    return [
        np.random.default_rng(i).integers(0, 256, spec.shape).astype(np.uint8)
        for i in range(_PARITY_IMAGES)
    ]


def _warnings(network: Classifier) -> tuple[str, ...]:
    """What is likely to be a mistake: weights that make all images one."""
    import torch

    scale, shift = (values[:, None, None] for values in network.spec.affine())
    pixels = np.stack(_images(network.spec)) * scale + shift
    with torch.inference_mode():
        logits = network.module.eval()(torch.from_numpy(pixels.astype(np.float32))).numpy()
    if float(np.ptp(logits, axis=0).max()) > _SAME * float(np.abs(logits).max()):
        return ()
    return (
        f"its logits are the same for all {_PARITY_IMAGES} images of the check: are these the "
        "trained weights? (all zero, or of a network that learned nothing)",
    )


def state_digest(module: "nn.Module") -> str:
    """SHA-256, in hex, of a module's weights: names, types, shapes and bytes, in name order."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if isinstance(value, torch.Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            # As bytes, since numpy has no bfloat16.
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _resemblance(checkpoint: Checkpoint) -> str:
    """A word on which of our architectures its weights have the names of, where one has."""
    if len(checkpoint.sets) != 1:
        return ""
    name = resembled(checkpoint.state, inferred_classes(checkpoint.state))
    return f"; its names and shapes are those of {name}: --arch {name}" if name else ""


def _unsaid(facts: Facts, implied: Dataset | None, wishes: Wishes) -> tuple[str, ...]:
    """A sentence on a normalisation that nothing says, since most networks have one."""
    if implied is not None or "mean" in facts or "std" in facts:
        return ()
    if wishes.normalisation(1) != (None, None):
        return ()
    return ("no preprocessing recorded: [0,1] pixels; --mean and --std, or --input-range, say "
            "otherwise",)  # fmt: skip


def _dataset_name(arch: str, wishes: Wishes, facts: Facts) -> tuple[str | None, str | None]:
    """The dataset's name, and a sentence where it was only implied by the architecture."""
    name = wishes.dataset or facts.dataset()
    if name is not None:
        if name not in DATASETS and (wishes.dataset is not None or not facts.input_shape()):
            raise InputError(f"dataset {name!r} is unknown: expected {', '.join(DATASETS)}")
        return name, None
    if "mean" in facts or "input_shape" in facts:
        return None, None
    implied = "cifar10" if arch in CIFAR else "imagenet" if arch in IMAGENET else None
    return implied, f"dataset {implied}, as its architecture {arch} implies" if implied else None
