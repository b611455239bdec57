"""Networks that return their logits in an object, a dict, or not at all."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.logits import check_one_way, classes_of, returning_logits

SHAPE = (3, 4, 4)


class Returning(nn.Module):
    """What `form` makes of a linear layer's output."""

    def __init__(self, form: Any, classes: int = 5) -> None:
        super().__init__()
        self.form, self.linear = form, nn.Linear(48, classes)

    def forward(self, x: torch.Tensor) -> Any:
        return self.form(self.linear(x.flatten(1)))


def test_a_network_that_returns_a_tensor_is_itself() -> None:
    module = Returning(lambda y: y)
    assert returning_logits(module, SHAPE) is module
    assert classes_of(module, SHAPE, "net") == 5


@pytest.mark.parametrize(
    "form", [lambda y: SimpleNamespace(logits=y, loss=None), lambda y: {"logits": y, "features": y}]
)
def test_logits_in_an_object_or_a_dict(form: Any) -> None:
    module = Returning(form)
    alone = returning_logits(module, SHAPE)
    images = torch.randn(3, *SHAPE)
    assert torch.equal(alone(images), module.linear(images.flatten(1)))
    assert classes_of(alone, SHAPE, "net") == 5


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda y: (y, y), "returns tuple"),
        (lambda y: {"out": y}, "returns dict"),
        (lambda y: y[:, :, None], r"returns \(2, 5, 1\)"),
        (lambda y: y.sum(), r"returns \(\)"),
        (lambda y: y[:1], r"returns \(1, 5\)"),
    ],
)
def test_what_are_no_logits_is_told(form: Any, words: str) -> None:
    module = returning_logits(Returning(form), SHAPE)
    with pytest.raises(InputError, match=words):
        classes_of(module, SHAPE, "net")


def test_one_class_and_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="1 output"):
        classes_of(Returning(lambda y: y, 1), SHAPE, "net")
    with pytest.raises(InputError, match="--input-shape"):
        classes_of(Returning(lambda y: y), (3, 8, 8), "net")


@pytest.mark.parametrize(
    "choice",
    [
        lambda x: x.mean().item() > 0.5,
        lambda x: (x > 1.2).any(),  # which noise alone reaches
        lambda x: x.sum() < 0,
        lambda x: max(x.flatten().tolist()) > 0.5,
        lambda x: x.numpy().max() > 0.5,
        lambda x: int(x.argmax()) > 3,
    ],
)
def test_a_choice_by_an_images_values_is_found(choice: Any) -> None:
    module = Choosing(choice)
    with pytest.raises(InputError, match="the network net chooses its way by the values"):
        check_one_way(module, InputSpec(*SHAPE), "net")


@pytest.mark.parametrize(
    "choice",
    [
        lambda x: x.shape[0] > 1,
        lambda x: len(x.split(1)) == 2,
        lambda x: torch.ones(3).sum().item() > 1,
        lambda x: [part.mean() for part in x.unbind()],
    ],
)
def test_a_choice_by_anything_else_is_none(choice: Any) -> None:
    check_one_way(Choosing(choice), InputSpec(*SHAPE), "net")


class Choosing(Returning):
    """Two ways, by what `choice` makes of the images."""

    def __init__(self, choice: Any) -> None:
        super().__init__(lambda y: y)
        self.choice = choice

    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x if self.choice(x) else -x)
