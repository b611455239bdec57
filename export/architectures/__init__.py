"""Architectures by name: our own, factories, and those of torchvision and timm."""

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError, one_line, require

if TYPE_CHECKING:
    from torch import nn

CIFAR = ("cifar_resnet20", "cifar_resnet110")
IMAGENET = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
NAMES = (*CIFAR, *IMAGENET, "small_cnn", "efficientnet_lite0")

_FORMS = f"{', '.join(NAMES)}, pkg.module:factory, torchvision:NAME or timm:NAME"


def architecture(name: str, num_classes: int, shape: tuple[int, int, int]) -> "nn.Module":
    """A module with fresh random weights: images [N, C, H, W] of `shape` to logits [N, K].

    name is one of NAMES, `pkg.module:factory` (a callable, given num_classes if it takes it),
    `torchvision:NAME` or `timm:NAME`. Raises InputError for anything else.
    """
    require("torch", "export", f"architecture {name}")
    if name in CIFAR:
        from smoothcert.export.architectures.cifar_resnet import CifarResNet

        return CifarResNet(int(name.removeprefix("cifar_resnet")), num_classes, shape[0])
    if name in IMAGENET:
        from smoothcert.export.architectures.resnet import BLOCKS, ResNet

        return ResNet(*BLOCKS[name], num_classes, shape[0])
    if name == "small_cnn":
        from smoothcert.export.architectures.small_cnn import SmallCnn

        return SmallCnn(num_classes, shape)
    if name == "efficientnet_lite0":
        package = require("efficientnet_lite_pytorch", "demo-imagenet", f"architecture {name}")
        model = package.EfficientNet.from_name("efficientnet-lite0", in_channels=shape[0],
                                               num_classes=num_classes)  # fmt: skip
        return _checked(model, name)
    library, colon, entry = name.partition(":")
    if not colon or not entry:
        raise InputError(f"architecture {name!r} is unknown: expected {_FORMS}")
    if library == "torchvision":
        models = require("torchvision.models", None, f"architecture {name}")
        return _checked(_made(models.get_model, name, entry, num_classes=num_classes), name)
    if library == "timm":
        timm = require("timm", None, f"architecture {name}")
        made = _made(timm.create_model, name, entry, num_classes=num_classes, in_chans=shape[0])
        return _checked(made, name)
    return _checked(_from_factory(library, entry, name, num_classes), name)


def _from_factory(module_name: str, entry: str, name: str, num_classes: int) -> Any:
    try:
        factory = getattr(importlib.import_module(module_name), entry)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"architecture {name!r} cannot be imported ({error}): expected pkg.module:factory "
            "on the Python path"
        ) from None
    if not callable(factory):
        raise InputError(f"architecture {name!r} is a {type(factory).__name__}: expected a factory")
    try:
        takes = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        takes = {}  # type: ignore[assignment]
    named = {"num_classes": num_classes} if "num_classes" in takes else {}
    return _made(factory, name, **named)


def _made(factory: Any, name: str, *arguments: Any, **named: Any) -> Any:
    try:
        return factory(*arguments, **named)
    except Exception as error:  # whatever a foreign constructor raises
        reason = one_line(error)
        raise InputError(
            f"architecture {name!r} cannot be made ({type(error).__name__}: {reason}): "
            "check its name and arguments"
        ) from None


def _checked(model: Any, name: str) -> "nn.Module":
    from torch import nn

    if not isinstance(model, nn.Module):
        raise InputError(
            f"architecture {name!r} made a {type(model).__name__}: expected a torch.nn.Module"
        )
    return model
