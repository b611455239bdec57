import math

import pytest
import torch
from torch import nn

from smoothcert.training.settings import TrainSettings
from smoothcert.training.steps import Totals, loss_sum, noisy_logits


def test_noise_of_level_sigma_is_added_to_unit_pixels() -> None:
    images = torch.full((64, 1, 8, 8), 51, dtype=torch.uint8)
    torch.manual_seed(0)
    seen = noisy_logits(nn.Flatten(), images, 0.5, copies=3, bf16=False)
    assert seen.shape == (3, 64, 64)
    assert seen.mean().item() == pytest.approx(51 / 255, abs=0.02)
    assert seen.std().item() == pytest.approx(0.5, abs=0.02)
    assert not torch.equal(seen[0], seen[1])
    clean = noisy_logits(nn.Flatten(), images, 0.0, copies=1, bf16=False)
    assert torch.equal(clean, torch.full((1, 64, 64), 51 / 255))


def test_bf16_reaches_the_network_and_its_logits_come_back_as_float32() -> None:
    images = torch.randint(0, 256, (8, 1, 4, 4), dtype=torch.uint8)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    exact = noisy_logits(network, images, 0.0, 1, bf16=False)
    rounded = noisy_logits(network, images, 0.0, 1, bf16=True)
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.05


def test_the_loss_is_summed_over_images_and_averaged_over_copies() -> None:
    logits = torch.zeros(2, 3, 10)
    labels = torch.tensor([0, 1, 2])
    plain = TrainSettings("small_cnn", 0.25)
    assert loss_sum(logits, labels, plain).item() == pytest.approx(3 * math.log(10))
    regularised = TrainSettings("small_cnn", 0.25, consistency=10.0, eta=0.5)
    assert loss_sum(logits, labels, regularised).item() == pytest.approx(4.5 * math.log(10))


def test_totals_weigh_images_not_steps() -> None:
    totals = Totals(torch.device("cpu"))
    right = torch.eye(4)[None] * 5
    totals.add(torch.tensor(4.0), right, torch.arange(4))
    totals.add(torch.tensor(6.0), right[:, :1], torch.tensor([3]))
    loss, accuracy = totals.means()
    assert loss == pytest.approx(2.0)
    assert accuracy == pytest.approx(80.0)
