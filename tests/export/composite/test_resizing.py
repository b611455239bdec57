"""The matrices of resizing are torch's F.interpolate."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from smoothcert.export.composite.resizing import BETWEEN, Between, weights


@pytest.mark.parametrize("mode", BETWEEN)
@pytest.mark.parametrize(
    ("before", "after"), [(32, 224), (256, 224), (28, 32), (17, 64), (64, 17), (8, 8), (1, 5)]
)
def test_as_torch_resizes(before: int, after: int, mode: Between) -> None:
    images = np.random.default_rng(0).random((2, 3, before, before + 3))
    rows = weights(before, after, mode)
    columns = weights(before + 3, after, mode)
    wanted = F.interpolate(
        torch.from_numpy(images),
        (after, after),
        mode=mode.removesuffix("-antialias"),
        antialias=mode.endswith("-antialias"),
    ).numpy()
    assert np.allclose(rows @ images @ columns.T, wanted, rtol=0, atol=1e-12)
    assert np.allclose(rows.sum(axis=1), 1.0)
