"""The original's loop: it counts what it is said to count."""

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from smoothcert.engine.bench.reference import ReferenceLoop, original_counts


def test_counts_follow_the_noise() -> None:
    """The class is whether the first pixel is above .6, at .5 with noise of .1: P = 1 - Phi(1)."""

    class Threshold(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first = x[:, 0, 0, 0] - 0.6
            return torch.stack([-first, first, first - 1], dim=1)

    torch.manual_seed(0)
    x = torch.full((1, 2, 2), 0.5)
    counts = original_counts(Threshold(), x, 10_050, 0.1, 1000, 3)
    assert counts.sum() == 10_050
    assert counts[2] == 0
    assert abs(counts[1] / 10_050 - 0.158655) < 5 * np.sqrt(0.1587 * 0.8413 / 10_050)


@pytest.mark.parametrize(
    ("seconds", "batch"),
    [(1e9, 1000), (300.0, 1000), (299.0, 512), (153.6, 512), (153.5, 256), (0.6, 2), (0.1, 1)],
)
def test_the_batch_of_a_slow_network_is_what_fits(
    monkeypatch: pytest.MonkeyPatch, seconds: float, batch: int
) -> None:
    """Samples that take .15 s in batches of eight are taken to need .3 s in large ones."""
    loop = ReferenceLoop("reference", torch.nn.Flatten(), (1, 2, 2), 4, 0.25, 1000)
    monkeypatch.setattr(loop, "_work", lambda _, size: (size, 0.15 * size))
    assert loop.batch_within(seconds) == batch


def test_it_runs_whole_batches_of_the_size_given() -> None:
    seen: list[int] = []

    class Watched(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(len(x))
            return x.flatten(1)

    loop = ReferenceLoop("reference", Watched(), (1, 2, 2), 4, 0.25, 30)
    loop.warm(0.0)
    assert seen == [8]
    samples, _ = loop.run(0.01)
    assert set(seen[1:]) == {30}
    assert samples == sum(seen[1:])
