from pathlib import Path

import pytest
import torch
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.training.network import base_classifier, load_original_state, original_state

CIFAR = InputSpec(3, 32, 32, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))


def original_names(blocks: int) -> set[str]:
    """The state dict of the original code's CIFAR ResNet with `blocks` blocks a stage."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {"conv1.weight", *(f"bn1.{n}" for n in norm), "fc.weight", "fc.bias"}
    for stage in (1, 2, 3):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            names |= {f"{at}.conv{i}.weight" for i in (1, 2)}
            names |= {f"{at}.bn{i}.{n}" for i in (1, 2) for n in norm}
        if stage > 1:
            names.add(f"layer{stage}.0.downsample.0.weight")
            names |= {f"layer{stage}.0.downsample.1.{n}" for n in norm}
    return names


def test_the_first_layer_normalises_and_leaves_no_key() -> None:
    network = base_classifier("cifar_resnet20", 10, CIFAR)
    x = torch.rand(2, 3, 32, 32)
    expected = (x - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor(
        [0.2, 0.25, 0.5]
    ).view(3, 1, 1)
    torch.testing.assert_close(network[0](x), expected)
    assert not [name for name in network.state_dict() if name.startswith("0.")]


def test_cifar_keys_are_the_originals() -> None:
    """Sequential(NormalizeLayer, resnet): `1.` before every name of the original's network."""
    network = base_classifier("cifar_resnet20", 10, CIFAR)
    state = original_state(network, "cifar10")
    assert set(state) == {f"1.{name}" for name in original_names(3)}
    assert state["1.fc.weight"].shape == (10, 64)
    nn.Sequential(nn.Identity(), network[1]).load_state_dict(state)


def test_imagenet_keys_are_the_originals() -> None:
    """Sequential(NormalizeLayer, DataParallel(resnet))."""
    spec = InputSpec(3, 224, 224)
    network = base_classifier("resnet18", 1000, spec)
    state = original_state(network, "imagenet")
    assert "1.module.layer1.0.conv1.weight" in state
    original = nn.Sequential(nn.Identity(), nn.DataParallel(network[1]))
    original.load_state_dict(state)
    assert set(state) == set(original.state_dict())


@pytest.mark.parametrize("dataset", ["cifar10", "imagenet", None])
def test_weights_come_back(dataset: str | None) -> None:
    torch.manual_seed(0)
    saved = base_classifier("cifar_resnet20", 10, CIFAR)
    loaded = base_classifier("cifar_resnet20", 10, CIFAR)
    assert not torch.equal(saved[1].fc.weight, loaded[1].fc.weight)  # type: ignore[union-attr,arg-type]
    load_original_state(loaded, original_state(saved, dataset), dataset)
    for name, value in saved.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


ODD = """
from torch import nn
def narrow(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, num_classes))
def headless(num_classes):
    return nn.Flatten()
"""


def test_an_architecture_that_does_not_fit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_networks.py").write_text(ODD)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match="narrow cannot take images of 1x8x8") as caught:
        base_classifier("odd_networks:narrow", 3, InputSpec(1, 8, 8))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"answers an image of 1x2x2 with \(1, 4\): expected"):
        base_classifier("odd_networks:headless", 3, InputSpec(1, 2, 2))
