"""Sets of weights: every dict of tensors, wherever it lies."""

from collections import OrderedDict
from typing import Any

import pytest
import torch

from smoothcert.export.weights.sets import WHOLE, weight_sets

STATE = {"fc.weight": torch.zeros(2, 3), "fc.bias": torch.zeros(2)}
ADAM = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2, 3)}},
        "param_groups": [{"lr": 0.1, "params": [0]}]}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (STATE, [WHOLE]),
        ({**STATE, "epoch": 3, "arch": "x"}, [WHOLE]),
        ({"net": STATE, "acc": 93.1}, ["net"]),
        ({"state_dict": STATE, "optimizer": ADAM}, ["state_dict"]),
        ({"state_dict": STATE, "best_acc1": torch.tensor(93.1)}, ["state_dict"]),
        ({"a": STATE, "b": STATE}, ["a", "b"]),
        ({"state": {"model": {"net": STATE}}}, ["state.model.net"]),
        ({"models": [STATE]}, []),
        ({"epoch": 3, "optimizer": ADAM}, []),
        ({0: STATE}, []),
    ],
)
def test_dicts_of_tensors_are_found(content: dict[Any, Any], names: list[str]) -> None:
    found = weight_sets(content)
    assert list(found) == names
    for state in found.values():
        assert set(state) == set(STATE)


def test_a_parameter_is_a_tensor_and_loses_its_gradient() -> None:
    (state,) = weight_sets({"w": torch.nn.Parameter(torch.ones(2))}).values()
    assert not state["w"].requires_grad


def test_a_dict_within_itself_ends() -> None:
    content: dict[str, Any] = {"state_dict": STATE}
    content["again"] = content
    assert list(weight_sets(content)) == ["state_dict"]


def test_a_pickle_that_shares_its_dicts_ends() -> None:
    """2 ** 60 places of one dict."""
    content: dict[str, Any] = {"w": torch.zeros(2)}
    for _ in range(6):
        content = {str(k): content for k in range(1024)}
    assert 0 < len(weight_sets(content)) < 100


def test_places_that_are_written_alike_are_two() -> None:
    other = {name: value + 1 for name, value in STATE.items()}
    found = weight_sets({"a.b": STATE, "a": {"b": other}})
    assert list(found) == ["a.b", "a.b (2)"]
    assert (found["a.b (2)"]["fc.bias"] == 1).all()


def test_attributes_out_of_a_pickle_are_not_called() -> None:
    content: Any = OrderedDict(w=torch.nn.Parameter(torch.ones(2)))
    content.__dict__["items"] = 5
    content["w"].__dict__["detach"] = 5
    assert list(weight_sets(content)) == [WHOLE]
