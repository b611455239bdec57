"""Parity sees a wrong weight and forgives float rounding."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from smoothcert.engine.backends.host.torch_network import TorchNetwork
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.agreement import check_float_noise, compare_votes
from smoothcert.export.architectures import architecture

SPEC = InputSpec(1, 28, 28)


def network(change: float = 0.0) -> TorchNetwork:
    torch.manual_seed(0)
    module = architecture("small_cnn", 10, SPEC.shape)
    with torch.no_grad():
        next(module.parameters()).view(-1)[0] += change
    return TorchNetwork(module, SPEC, 10, batch=10)


def images() -> list[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, SPEC.shape).astype(np.uint8) for _ in range(3)]


def test_equal_networks_agree_on_every_sample() -> None:
    parity = compare_votes(network(), network(), images(), 0.25, samples_per_image=9)
    assert (parity.samples, parity.disagreements, parity.largest_difference) == (27, 0, 0.0)
    check_float_noise(parity)


def test_one_wrong_weight_is_seen() -> None:
    parity = compare_votes(network(), network(1.0), images(), 0.25)
    with pytest.raises(InputError, match="disagrees with the checkpoint"):
        check_float_noise(parity)


def test_rounding_is_forgiven() -> None:
    parity = compare_votes(network(), network(1e-7), images(), 0.25)
    check_float_noise(parity)


def test_nan_is_not_forgiven() -> None:
    parity = compare_votes(network(), network(float("nan")), images(), 0.25)
    with pytest.raises(InputError, match="disagrees"):
        check_float_noise(parity)
