"""From a checkpoint, a factory or a folder to an ONNX model that has been checked against it."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.failing import opening
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import InputSpec, Interpolation
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.models.row_independence.proof import prove
from smoothcert.engine.models.row_independence.wording import refusal
from smoothcert.export.agreement import (
    SAMPLES,
    Parity,
    check_float_noise,
    compare_votes,
    random_images,
)
from smoothcert.export.checkpoint_facts import Wishes
from smoothcert.export.checkpoint_opening import Classifier, opened
from smoothcert.export.logits import check_one_way
from smoothcert.export.onnx_model import EXPORTERS, Exporter, write_onnx
from smoothcert.export.precision.reduce import ReducedModel, Reduction, reduce_precision
from smoothcert.export.precision.watching import UNWATCHED, ExportWatcher
from smoothcert.export.quietness import quiet

_PARITY_SIGMA = 0.25
_PARITY_IMAGES = 8
_SAME = 1e-6  # of the largest logit: float rounding


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
    before: Callable[[ExportReport], None] | None = None,
    watcher: ExportWatcher = UNWATCHED,
) -> ExportReport:
    """Export a checkpoint; options override what it says about itself.

    path     a checkpoint; a folder of a Hugging Face image classifier, or `hf:` and one; None
             where `arch` is `pkg.module:factory`, whose module is trained, or `hf:` and a folder
    weights  the set of weights in the checkpoint, where there is more than one
    ignore   prefixes of names of weights that are no part of the network
    before   is given the report of a float32 export before anything is at `output`

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
    watcher.stage("opening the network")
    with doing("loading torch and the weights"):
        network = opened(path, arch, wishes, weights, ignore)
    return export_network(network, output, reduction, before, watcher=watcher)


def export_network(
    network: Classifier,
    output: Path,
    reduction: Reduction | None = None,
    before: Callable[[ExportReport], None] | None = None,
    name: Path | None = None,
    watcher: ExportWatcher = UNWATCHED,
) -> ExportReport:
    """Write a network as ONNX, checked against it; see export_checkpoint. `name` is what a refusal
    calls the file, where that is not `output`."""
    warnings = _warnings(network)
    metadata = {
        "arch": network.arch,
        "dataset": network.dataset,
        "checkpoint_sha256": network.sha256,
        **({"inferred": network.recorded} if network.recorded else {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "float32.onnx"
        exporter, parity = _write_checked(network, exported, metadata, name or output, watcher)
        said = network.said
        if exporter != EXPORTERS[0]:
            said += ("written by torch's older exporter: the newer one cannot write this network",)
        report = ExportReport(
            output,
            network.arch,
            network.num_classes,
            network.spec,
            network.sha256,
            parity,
            network.assumed,
            said=said,
            warnings=warnings,
        )
        if reduction is not None:
            reduced = reduce_precision(exported, output, reduction, watcher)
            return replace(report, reduced=reduced)
        if before is not None:
            before(report)
        write_atomically(output, exported.read_bytes())
    return report


def _write_checked(
    network: Classifier,
    path: Path,
    metadata: dict[str, Any],
    output: Path,
    watcher: ExportWatcher,
) -> tuple[Exporter, Parity]:
    """Write with the first exporter whose file agrees with the network.

    Raises InputError where a file proves that the network mixes images, where its way depends on
    the images' values, and, where no file agrees, what is wrong with the first one's.
    """
    left: Sequence[Exporter] = EXPORTERS
    first: InputError | None = None
    while left:
        watcher.stage("writing ONNX")
        try:
            with doing(f"writing {network.arch} as ONNX"):
                exporter = write_onnx(
                    network.module, network.spec, network.num_classes, path, metadata, left
                )
        except InputError as error:
            raise first or error from None
        left = left[left.index(exporter) + 1 :]
        if exporter != EXPORTERS[0]:
            check_one_way(network.module, network.spec, network.arch)
        proof = prove(path, network.spec.shape)
        if proof.verdict == "refused":
            raise refusal(output, proof)
        try:
            with doing("comparing the votes of both networks"):
                parity = _parity(network, path, watcher)
            check_float_noise(parity, f"the exported network disagrees with {network.given}")
        except InputError as error:
            first = first or error
        else:
            return exporter, parity
    assert first is not None
    if unsteady := _unsteady(network):
        raise unsteady
    check_one_way(network.module, network.spec, network.arch)
    raise first


def _unsteady(network: Classifier) -> InputError | None:
    """Why no file agrees with a network that is no function of its images; None for one that is."""
    once, again = _logits(network), _logits(network)
    if float(np.abs(once - again).max()) <= _SAME * float(np.abs(once).max()):
        return None
    return InputError(
        f"the network {network.arch} returns other logits when it is run again, so two votes on "
        "one image differ and no certificate would hold: expected a function of the image; remove "
        "what draws random numbers or counts its calls"
    )


def _logits(network: Classifier) -> npt.NDArray[np.float32]:
    """Of the images of the check; by twos, as the network was asked for its classes."""
    import torch

    scale, shift = (values[:, None, None] for values in network.spec.affine())
    pixels = (np.stack(random_images(network.spec.shape, _PARITY_IMAGES)) * scale + shift).astype(
        np.float32
    )
    module = network.module.eval()
    with opening(f"the network {network.arch}"), quiet(), torch.inference_mode():
        logits = torch.cat(list(map(module, torch.split(torch.from_numpy(pixels), 2))))
    found: npt.NDArray[np.float32] = logits.float().numpy()
    return found


def _parity(network: Classifier, path: Path, watcher: ExportWatcher) -> Parity:
    """How far the file at `path` agrees with the network, at another batch size than it was
    written with; raises InputError where it does not run."""
    from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
    from smoothcert.engine.backends.host.torch_network import TorchNetwork

    spec, classes = network.spec, network.num_classes
    images = random_images(spec.shape, _PARITY_IMAGES)
    watcher.stage("comparing votes with the network", len(images) * SAMPLES)
    torch_network = TorchNetwork(network.module.eval(), spec, classes, batch=8)
    try:
        runtime = OnnxRuntimeNetwork(open_onnx(path), batch=8)
        return compare_votes(torch_network, runtime, images, _PARITY_SIGMA, ran=watcher.ran)
    except InputError:
        raise
    except Exception as error:  # the runtime's exceptions share no public base class
        raise InputError(
            f"the exported network does not run in batches of 8 ({one_line(error)}): expected it "
            "to take any number of images; write its forward() so"
        ) from None


def _warnings(network: Classifier) -> tuple[str, ...]:
    """What is likely to be a mistake: weights that make all images one. Raises InputError for such
    as make no numbers of them."""
    logits = _logits(network)
    if not np.isfinite(logits).all():
        raise InputError(
            f"the network {network.arch} makes logits of images that are not finite: expected "
            "numbers; give its trained weights, and the --mean and --std that they were trained "
            "with"
        )
    if float(np.ptp(logits, axis=0).max()) > _SAME * float(np.abs(logits).max()):
        return ()
    return (
        f"its logits are the same for all {_PARITY_IMAGES} images of the check: are these the "
        "trained weights? (all zero, or of a network that learned nothing)",
    )
