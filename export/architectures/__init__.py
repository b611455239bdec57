"""Architectures by name: our own, factories, and those of torchvision and timm."""

import re
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.export.architectures.factories import check_module, factory_at, made, parameters_of

if TYPE_CHECKING:
    from torch import nn

CIFAR = ("cifar_resnet20", "cifar_resnet110")
IMAGENET = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
NAMES = (*CIFAR, *IMAGENET, "small_cnn", "efficientnet_lite0")

_WHAT = "architecture"
_LIBRARIES = ("hf", "timm", "torchvision")
_FORMS = f"{', '.join(NAMES)}, pkg.module:factory, torchvision:NAME or timm:NAME"


def is_factory(name: str) -> bool:
    """Whether an architecture's name is `pkg.module:factory`: code of the user's own."""
    library, colon, entry = name.partition(":")
    return bool(colon and library and entry) and library not in _LIBRARIES


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
    if library == "hf":
        raise InputError(
            f"architecture {name!r} is a folder with weights of its own: expected no checkpoint "
            "beside it; leave one of them out"
        )
    if library == "torchvision":
        models = _imported("torchvision.models", name)
        if entry.lower() not in models.list_models(module=models):
            # Those of other kinds fetch weights for a part of theirs.
            raise InputError(
                f"architecture {name!r} is no classifier of torchvision: expected a name that "
                "torchvision.models.list_models(module=torchvision.models) has"
            )
        return _checked(_made(models.get_model, name, entry, num_classes=num_classes), name)
    if library == "timm":
        timm = _imported("timm", name)
        # Its own list, exactly: hf-hub:NAME and the like it would fetch.
        if not re.fullmatch(r"[\w.]+", entry) or not timm.is_model(entry):
            raise InputError(
                f"architecture {name!r} is none of timm's: expected a name that it has"
            )
        made = _made(timm.create_model, name, entry, num_classes=num_classes, in_chans=shape[0])
        return _checked(made, name)
    return from_factory(name, num_classes)


def from_factory(name: str, num_classes: int | None = None) -> "nn.Module":
    """What `pkg.module:factory` makes, given num_classes if it takes it and they are known.

    Raises InputError where it cannot be imported, fails, or makes no module.
    """
    factory = factory_at(name, _WHAT)
    known = "num_classes" in parameters_of(factory) and num_classes is not None
    named = {"num_classes": num_classes} if known else {}
    return _checked(_made(factory, name, **named), name)


def _imported(module: str, name: str) -> Any:
    """A library of architectures. Raises InputError where it is absent or does not work here."""
    try:
        return require(module, None, f"architecture {name}")
    except InputError:
        raise
    except Exception as error:  # such as a torchvision that was built for another torch
        raise InputError(
            f"architecture {name!r} cannot be made: {module.partition('.')[0]} does not work here "
            f"({one_line(error)}); install the one that belongs to this torch"
        ) from None


def _made(factory: Any, name: str, *arguments: Any, **named: Any) -> Any:
    return made(factory, name, _WHAT, "check its name and arguments", *arguments, **named)


def _checked(model: Any, name: str) -> "nn.Module":
    module: nn.Module = check_module(model, name, _WHAT)
    return module
