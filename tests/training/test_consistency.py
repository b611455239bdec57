import math

import pytest
import torch

from smoothcert.training.consistency import consistency_loss


def test_it_is_the_papers_formula() -> None:
    """Term by term in float64: lambda / m * sum_i KL(mean || p_i) + eta * H(mean)."""
    torch.manual_seed(0)
    logits = torch.randn(3, 5, 4, dtype=torch.float64)
    expected = 0.0
    for image in range(5):
        p = [torch.softmax(logits[copy, image], 0).tolist() for copy in range(3)]
        mean = [sum(column) / 3 for column in zip(*p, strict=True)]
        for row in p:
            expected += 7 / 3 * sum(m * math.log(m / q) for m, q in zip(mean, row, strict=True))
        expected -= 0.5 * sum(m * math.log(m) for m in mean)
    assert consistency_loss(logits, 7.0, 0.5).item() == pytest.approx(expected, rel=1e-12)


def test_copies_that_agree_leave_only_the_entropy() -> None:
    logits = torch.zeros(2, 6, 10)
    assert consistency_loss(logits, 20.0, 0.0).item() == pytest.approx(0.0, abs=1e-5)
    assert consistency_loss(logits, 20.0, 0.5).item() == pytest.approx(6 * 0.5 * math.log(10))


def test_it_stays_finite_for_certain_classifiers() -> None:
    logits = torch.zeros(2, 1, 3)
    logits[0, 0, 0] = logits[1, 0, 1] = 500.0
    logits.requires_grad_()
    loss = consistency_loss(logits, 1.0, 0.5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
