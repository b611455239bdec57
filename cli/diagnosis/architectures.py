"""Whose network a set of weights may be of: proposals, never more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smoothcert.export.architectures import CIFAR
from smoothcert.export.architectures.guess import resembled

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
    found = resembled(dict(state), classes)
    if found is None:
        return None
    if found.arch == "small_cnn":
        return Proposal(found.arch, found.shape)
    channels, side = found.shape[0], 32 if found.arch in CIFAR else 224
    return Proposal(found.arch, None if channels == 3 else (channels, side, side))


def family_of(levels: list[str]) -> str | None:
    """Whose networks have parts of these names, where that is known."""
    return next((said for parts, said in _FAMILIES if parts <= set(levels)), None)
