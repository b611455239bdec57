import math
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.training.settings import TrainSettings


def test_the_defaults_are_the_originals() -> None:
    settings = TrainSettings("cifar_resnet110", 0.25)
    assert (settings.epochs, settings.batch, settings.momentum) == (90, 256, 0.9)
    rates = [settings.learning_rate(epoch, 0.5) for epoch in (0, 29, 30, 59, 60, 89)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_one_cycle_rises_then_falls_to_nothing() -> None:
    settings = TrainSettings("small_cnn", 0.25, epochs=10, lr=0.4, schedule="one-cycle")
    assert settings.learning_rate(0, 0.0) == 0.0
    assert settings.learning_rate(1, 0.0) == pytest.approx(0.2)
    assert settings.learning_rate(2, 0.0) == pytest.approx(0.4)
    assert settings.learning_rate(6, 0.0) == pytest.approx(0.2)
    assert settings.learning_rate(9, 0.999) < 1e-6


def test_copies_are_made_for_the_regulariser_alone() -> None:
    assert TrainSettings("small_cnn", 0.25, consistency_noises=4).copies == 1
    assert TrainSettings("small_cnn", 0.25, consistency=1.0, consistency_noises=4).copies == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sigma", -0.1),
        ("sigma", 4.5),
        ("sigma", math.nan),
        ("epochs", 0),
        ("batch", 1),
        ("lr", math.inf),
        ("lr", -1.0),
        ("gamma", 1.5),
        ("momentum", -0.1),
        ("weight_decay", math.nan),
        ("consistency", -1.0),
        ("consistency_noises", 1),
        ("seed", -1),
        ("schedule", "cosine"),
    ],
)
def test_what_cannot_be_trained_with_is_refused(name: str, value: Any) -> None:
    given: dict[str, Any] = {"arch": "small_cnn", "sigma": 0.25, name: value}
    with pytest.raises(InputError, match=name.replace("_", "-")) as caught:
        TrainSettings(**given)
    assert str(value) in str(caught.value)
