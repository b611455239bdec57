"""Operations counted from a graph, against counts made another way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.bench.flops import flops_per_sample
from smoothcert.engine.models.model import Model


def test_a_linear_classifier(linear_model: Callable[..., Path]) -> None:
    path = linear_model(np.zeros((5, 60)), np.zeros(5), (3, 5, 4))
    assert flops_per_sample(path) == 2 * 5 * 60


def test_a_residual_network_counts_as_its_torch_modules(networks: dict[str, Model]) -> None:
    torch = pytest.importorskip("torch")
    from smoothcert.export.architectures import architecture

    module = architecture("cifar_resnet20", 10, (3, 32, 32)).eval()
    counted = [0]

    def count(layer: Any, given: object, out: Any) -> None:
        per_output = layer.weight[0].numel()
        counted[0] += 2 * out[0].numel() * per_output

    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        module(torch.zeros(1, 3, 32, 32))
    assert flops_per_sample(networks["resnet20"].path) == counted[0] > 8e7
