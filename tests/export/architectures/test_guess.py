"""Which of our architectures weights are those of: a word, where exactly one fits."""

import pytest
import torch

from smoothcert.export.architectures import architecture
from smoothcert.export.architectures.guess import resembled


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("resnet18", (3, 224, 224)),
        ("resnet50", (3, 224, 224)),
        ("cifar_resnet20", (3, 32, 32)),
        ("cifar_resnet110", (1, 28, 28)),
        ("small_cnn", (1, 28, 28)),
        ("small_cnn", (3, 32, 32)),
    ],
)
def test_names_and_shapes_tell(name: str, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        state = architecture(name, 7, shape).state_dict()
    wrapped = {f"module.{key}": value for key, value in state.items()}
    for found in (resembled(state, 7), resembled(wrapped, 7)):
        assert found is not None
        assert found.arch == name
        assert name != "small_cnn" or found.shape == shape
    assert resembled(state, 8) is None
    assert resembled(state, None) is None
    state.popitem()
    assert resembled(state, 7) is None


def test_other_weights_are_nobodys() -> None:
    assert resembled({"fc.weight": torch.zeros(5, 3), "fc.bias": torch.zeros(5)}, 5) is None
    assert resembled({"conv.weight": torch.zeros(4, 3, 3, 3)}, 5) is None
