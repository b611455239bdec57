"""Whose network a set of weights may be of: proposals, never more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smoothcert.export.architectures import CIFAR, architecture
from smoothcert.export.architectures.guess import resembled
from smoothcert.export.datasets import DATASETS
from smoothcert.export.weights.matching import best_reading, shapes_of

if TYPE_CHECKING:
    import torch

Shape = tuple[int, int, int]

_FAMILIES = (
    ({"cls_token", "pos_embed", "blocks"}, "timm names a vision transformer's parts so: timm:NAME"),
    ({"conv_stem", "blocks"}, "timm names an EfficientNet's parts so: timm:NAME"),
    ({"stem", "stages"}, "timm names a ConvNeXt's or RegNet's parts so: timm:NAME"),
    ({"patch_embed", "layers"}, "timm names a Swin transformer's parts so: timm:NAME"),
    ({"features", "classifier"}, "torchvision names the parts of VGG, DenseNet, MobileNet and"
     " EfficientNet so: torchvision:NAME"),
    ({"conv_proj", "encoder", "heads"}, "torchvision names a vision transformer's parts so:"
     " torchvision:NAME"),
    ({"conv1", "layer1", "fc"}, "torchvision and timm name a ResNet's parts so: torchvision:NAME or"
     " timm:NAME"),
    ({"classifier", "vit"}, "transformers names its parts so: hf:FOLDER, with config.json in it"),
)  # fmt: skip
"""First levels of names, and whose network has them."""


@dataclass(frozen=True)
class Proposal:
    """One of our architectures, which alone has these names and shapes.

    shape  of its input where the architecture implies no other, else None
    """

    arch: str
    shape: Shape | None


def proposal(state: "Mapping[str, torch.Tensor]", classes: int | None) -> Proposal | None:
    """The architecture of ours that these weights are of, if that is one."""
    arch = resembled(dict(state), classes)
    if arch is None or classes is None:
        return None
    first = next(tensor for tensor in state.values() if tensor.ndim == 4)
    channels = int(first.shape[1])
    if arch == "small_cnn":
        return Proposal(arch, _small_shape(state, classes, channels))
    side = 32 if arch in CIFAR else 224
    return Proposal(arch, None if channels == 3 else (channels, side, side))


def _small_shape(state: "Mapping[str, torch.Tensor]", classes: int, channels: int) -> Shape | None:
    """The size of images that small_cnn's last layer is for."""
    import torch

    for shape in dict.fromkeys(dataset.shape for dataset in DATASETS.values()):
        if shape[0] == channels:
            with torch.device("meta"):
                module = architecture("small_cnn", classes, shape)
            if best_reading(shapes_of(state), shapes_of(module.state_dict())).fits:
                return shape
    return None


def family_of(levels: list[str]) -> str | None:
    """Whose networks have parts of these names, where that is known."""
    return next((said for parts, said in _FAMILIES if parts <= set(levels)), None)
