"""The network of a checkpoint, a factory or a folder, with its weights and what is known of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import check_classes
from smoothcert.export.architectures import CIFAR, IMAGENET, from_factory, is_factory
from smoothcert.export.architectures.guess import resembled
from smoothcert.export.checkpoint import Checkpoint, inferred_classes, read_checkpoint
from smoothcert.export.checkpoint_facts import Facts, Wishes, implied_dataset, input_spec
from smoothcert.export.checkpoint_network import Asked, load_network
from smoothcert.export.datasets import DATASETS, Dataset
from smoothcert.export.huggingface.spelling import folder_of
from smoothcert.export.logits import classes_of, returning_logits

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Classifier:
    """A network with its weights, and what is known of it.

    sha256    of the file or files that its weights are from; of the weights where there are none
    assumed   what nothing said and its architecture implied
    said      what was inferred, a sentence each; recorded: the same for the metadata
    given     what it came as, for messages
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
    given: str = "the checkpoint"


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
    classes = _classes(wishes.num_classes, module, spec, arch)
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
    classes = _classes(asked.num_classes, module, spec, arch)
    said = (*loaded.said, *_unsaid(facts, implied, wishes))
    return Classifier(module, arch, classes, spec, checkpoint.sha256, name, assumed, said,
                      loaded.recorded)  # fmt: skip


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


def _classes(known: int | None, module: "nn.Module", spec: InputSpec, arch: str) -> int:
    """The classes that were said, else the network's own; raises InputError for one alone."""
    if known is None:
        return classes_of(module, spec.shape, arch)
    check_classes(f"the network {arch}", known)
    return known


def _resemblance(checkpoint: Checkpoint) -> str:
    """A word on which of our architectures its weights have the names of, where one has."""
    if len(checkpoint.sets) != 1:
        return ""
    found = resembled(checkpoint.state, inferred_classes(checkpoint.state))
    if found is None:
        return ""
    return f"; its names and shapes are those of {found.arch}: --arch {found.arch}"


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
