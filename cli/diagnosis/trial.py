"""A model run on a few images: whether its logits say anything, and whether the labels agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.cli.diagnosis.commands import typed
from smoothcert.cli.diagnosis.entry import Entry
from smoothcert.engine.backends.base import Network
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES, open_host_network
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import one_line
from smoothcert.engine.base.input_spec import InputSpec, range_normalisation
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.openvino_ir import is_ir
from smoothcert.engine.sources import ImageSource
from smoothcert.engine.sources.base import UNREADABLE
from smoothcert.export.agreement import random_images
from smoothcert.export.datasets import DATASETS

Images = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]

_RANDOM = 8
_LOOKED_AT = 32
_MOST_BATCH = 8
_CLEARLY = 1 / 4
"""Of the images, that another normalisation must get right more for it to be worth a word."""


@dataclass(frozen=True)
class Trial:
    """The runtimes that run a model on this machine's processor, and one of them, open."""

    entries: list[Entry]
    network: Network | None


def try_out(model: Model) -> Trial:
    """Run a model on random pixels in every runtime of a CPU that is installed."""
    ran: list[str] = []
    reasons: list[str] = []
    network: Network | None = None
    said: list[Entry] = []
    alone = "openvino" if is_ir(model.path) else None  # which no other runtime opens
    for name, runtime in HOST_RUNTIMES.items():
        if runtime.version is None or alone not in (None, name):
            continue
        try:
            batch = None if isinstance(model.batch, int) else _MOST_BATCH
            opened = open_host_network(model, name, None, model.batch_for(batch), usable_cores())
            logits = logits_of(opened, np.stack(random_images(model.spec.shape, _RANDOM)))
        except Exception as error:  # what a runtime raises when it runs is its own
            reasons.append(f"{name}: {one_line(error)}")
            continue
        ran.append(f"{name} {runtime.version}")
        if network is None:
            network, said = opened, _about(logits)
    if network is None:
        why = "; ".join(reasons) or "no runtime is installed; pip install 'smoothcert[cpu]'"
        return Trial([Entry("runs on", "refused", why)], None)
    note = f"{_RANDOM} images of random pixels, on this processor"
    if reasons:
        note += f"; not {'; not '.join(reasons)}"
    return Trial([Entry("runs on", ", ".join(ran), note), *said], network)


def logits_of(network: Network, images: Images, spec: InputSpec | None = None) -> Logits:
    """The logits of uint8 images [n, C, H, W], normalised as `spec` says (None: the network's)."""
    scale, shift = (spec or network.spec).affine()
    batch = len(network.inputs)
    found: list[Logits] = []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        rows = part * scale[:, None, None] + shift[:, None, None]
        network.inputs[: len(part)] = rows.reshape(len(part), -1)
        found.append(network.run()[: len(part)].copy())
    return np.concatenate(found)


def _about(logits: Logits) -> list[Entry]:
    if not np.isfinite(logits).all():
        return [
            Entry("logits", "hint", "some are not finite numbers: such rows count for no class")
        ]
    if np.ptp(logits, axis=0).max() == 0:
        note = "the same for every image: are these the trained weights?"
        return [Entry("logits", "hint", note)]
    if logits.min() >= 0 and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        note = "probabilities, of a softmax: as good as logits here, the largest one is the vote"
        return [Entry("logits", "hint", note)]
    return []


def compare_with_labels(network: Network, source: ImageSource, recorded: bool) -> list[Entry]:
    """How many of some images a network classifies as they are labelled, without noise.

    recorded  whether the model says itself how pixels are normalised; else what other
              normalisations would give is tried, and told as a hint where it is clearly better
    """
    indices = np.unique(np.linspace(0, len(source) - 1, _LOOKED_AT).astype(int)).tolist()
    images, labels = _readable(source, indices)
    if not images:
        return []
    stacked = np.stack(images)
    truth = np.array(labels)
    votes = logits_of(network, stacked).argmax(axis=1)
    right = int((votes == truth).sum())
    found = [
        Entry("clean accuracy", f"{right} of {len(truth)}", "classified as labelled, without noise")
    ]
    for step in (1, -1):
        if (votes == truth + step).mean() > max(0.5, 2 * right / len(truth)):
            note = (
                f"most are classified as their label {step:+d}: are the labels counted from "
                f"{'1' if step < 0 else 'another class'}?"
            )
            found.append(Entry("labels", "hint", note))
    if not recorded:
        found += _better(network, stacked, truth, right)
    return found


def _readable(source: ImageSource, indices: Sequence[int]) -> tuple[list[Images], list[int]]:
    images, labels = [], []
    for index in indices:
        try:
            image, label = source.image(index), source.label(index)
        except UNREADABLE:
            continue
        if label >= 0:
            images.append(image)
            labels.append(label)
    return images, labels


def _better(
    network: Network, images: Images, truth: npt.NDArray[np.int64], right: int
) -> list[Entry]:
    """The normalisation that gets clearly more of the images right, if there is one."""
    counts = {
        option: int((logits_of(network, images, spec).argmax(axis=1) == truth).sum())
        for option, spec in _normalisations(network.spec)
    }
    best = max(counts, key=lambda option: counts[option], default="")
    if not best or counts[best] - right < max(2, _CLEARLY * len(truth)):
        return []
    note = (
        f"with it {counts[best]} of {len(truth)} are: ask who trained the model how its pixels "
        "were normalised"
    )
    return [Entry(best, "hint", note)]


def _normalisations(own: InputSpec) -> Iterator[tuple[str, InputSpec]]:
    """Those in common use, as they are typed."""
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        mean, std = range_normalisation(low, high, own.channels)
        yield typed({"input_range": (low, high)}), _normalised(own, mean, std)
    for dataset in DATASETS.values():
        if len(dataset.mean) == own.channels:
            option = typed({"mean": dataset.mean, "std": dataset.std})
            yield option, _normalised(own, dataset.mean, dataset.std)


def _normalised(own: InputSpec, mean: tuple[float, ...], std: tuple[float, ...]) -> InputSpec:
    return InputSpec(*own.shape, mean, std, own.resize, own.interpolation)
