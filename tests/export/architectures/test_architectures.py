"""Architectures: published parameter counts, key names, shapes; factories and their faults."""

import pytest
import torch
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.export.architectures import architecture


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ],
)
def test_imagenet_resnets_have_the_published_size(name: str, count: int) -> None:
    with torch.device("meta"):
        assert parameters(architecture(name, 1000, (3, 224, 224))) == count


def test_resnet50_keys_and_strides_are_torchvisions() -> None:
    with torch.device("meta"):
        module = architecture("resnet50", 1000, (3, 224, 224))
    keys = set(module.state_dict())
    assert len(keys) == 320
    assert {
        "conv1.weight", "bn1.running_mean", "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.num_batches_tracked", "layer4.2.conv3.weight", "fc.bias",
    } <= keys  # fmt: skip
    assert "layer1.1.downsample.0.weight" not in keys
    block = module.get_submodule("layer2.0")
    assert block.get_submodule("conv1").stride == (1, 1)
    assert block.get_submodule("conv2").stride == (2, 2)  # "v1.5"


def test_cifar_resnets_are_those_of_he_et_al() -> None:
    """0.27 M and 1.7 M parameters; 2 keys per projection shortcut beyond the paper's option A."""
    small = architecture("cifar_resnet20", 10, (3, 32, 32))
    large = architecture("cifar_resnet110", 10, (3, 32, 32))
    assert parameters(small) == 272_474
    assert parameters(large) == 1_730_714
    assert {"conv1.weight", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
            "layer3.17.bn2.bias", "fc.weight"} <= set(large.state_dict())  # fmt: skip
    assert "layer1.0.downsample.0.weight" not in large.state_dict()


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("cifar_resnet20", (3, 32, 32), 10),
        ("cifar_resnet20", (1, 28, 28), 7),
        ("resnet18", (3, 64, 64), 5),
        ("small_cnn", (1, 28, 28), 10),
        ("small_cnn", (3, 32, 32), 4),
    ],
)
def test_logits(name: str, shape: tuple[int, int, int], classes: int) -> None:
    module = architecture(name, classes, shape).eval()
    with torch.inference_mode():
        assert module(torch.zeros(2, *shape)).shape == (2, classes)


def test_small_cnn_is_small() -> None:
    assert 150_000 < parameters(architecture("small_cnn", 10, (1, 28, 28))) < 180_000


def test_a_factory_is_given_the_classes_if_it_takes_them() -> None:
    assert isinstance(architecture("torch.nn:Flatten", 3, (1, 2, 2)), nn.Flatten)
    name = "smoothcert.export.architectures.resnet:ResNet"
    with pytest.raises(InputError, match="bottleneck"):  # it takes num_classes, and lacks the rest
        architecture(name, 3, (1, 2, 2))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet", "expected cifar_resnet20"),
        ("", "unknown"),
        ("no.such.module:net", "cannot be imported"),
        ("torch.nn:NoSuchThing", "cannot be imported"),
        ("math:pi", "expected a factory"),
        ("collections:OrderedDict", "expected a torch.nn.Module"),
        ("torch.nn:Linear", "cannot be made"),
        ("timm:resnet18", "pip install"),
        ("..x:y", "cannot be imported"),
        ("hf:folder", "leave one of them out"),
    ],
)
def test_what_makes_no_network_is_refused(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        architecture(name, 10, (3, 32, 32))
    assert "\n" not in str(caught.value)
