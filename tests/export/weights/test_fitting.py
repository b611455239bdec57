"""Weights in a network: loaded, or refused with what does not fit and the option that helps."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.export.weights.fitting import load, without

PATH = Path("x.pth")


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))


def state(prefix: str = "", more: dict[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
    own = {prefix + name: value for name, value in net().state_dict().items()}
    return own | (more or {})


def refused(given: dict[str, torch.Tensor], *ignore: str) -> str:
    with pytest.raises(InputError) as caught:
        load(net(), without(PATH, given, ignore), "net")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_weights_of_the_file_are_in_the_module() -> None:
    given = {name: torch.ones_like(value) for name, value in state("model.").items()}
    module = net()
    load(module, without(PATH, given, ()), "net")
    assert all((value == 1).all() for value in module.state_dict().values())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_converted(dtype: torch.dtype) -> None:
    module = net()
    given = state() | {"0.bias": torch.full((4,), 0.5, dtype=dtype)}
    load(module, without(PATH, given, ()), "net")
    assert module.state_dict()["0.bias"].dtype == torch.float32
    assert (module.state_dict()["0.bias"] == 0.5).all()


def test_what_is_no_part_of_the_network_is_dropped_when_asked() -> None:
    given = state("", {"criterion.weight": torch.ones(5)})
    text = refused(given)
    assert "nothing is missing, but 1 unexpected (criterion.weight)" in text
    assert "--ignore criterion." in text
    weights = without(PATH, given, ["criterion."])
    assert load(net(), weights, "net").fits
    assert list(weights.dropped) == ["criterion.weight"]


def test_the_prefix_to_ignore_is_named_under_another_prefix_too() -> None:
    text = refused(state("model.", {"criterion.weight": torch.ones(5)}))
    assert "nothing is missing" in text
    assert "--ignore criterion." in text
    text = refused(state("model.", {"model.loss.weight": torch.ones(5)}))
    assert "--ignore model.loss." in text
    assert load(
        net(), without(PATH, state("model.", {"queue": torch.ones(5)}), ["queue"]), "net"
    ).fits


@pytest.mark.parametrize(
    ("ignore", "words"),
    [
        (["loss."], "no name of checkpoint x.pth begins with 'loss.'"),
        ([""], "begins with ''"),
        (["3."], r"--ignore drops 3.weight, 3.bias, which architecture net wants"),
        (["0.", "1.", "3."], "leaves nothing"),
    ],
)
def test_a_prefix_that_nothing_has_or_the_network_needs(ignore: list[str], words: str) -> None:
    given = state()
    with pytest.raises(InputError, match=words):
        load(net(), without(PATH, given, ignore), "net")


def test_a_second_network_in_one_set() -> None:
    given = {**state("model."), **state("ema.module.")}
    text = refused(given)
    assert "2 sets of its weights (model., ema.module.)" in text
    assert "--ignore ema.module." in text
    assert load(net(), without(PATH, given, ["ema.module."]), "net").prefix == "model."
    assert load(net(), without(PATH, given, ["model."]), "net").prefix == "ema.module."


def test_a_normalisation_among_the_weights_is_to_be_said() -> None:
    mean, std = torch.tensor([0.5, 0.25, 0.125]), torch.tensor([0.2, 0.3, 0.4])
    more = {"normalize.mean": mean.view(1, 3, 1, 1), "normalize.std": std.view(1, 3, 1, 1)}
    text = refused(state("model.", more))
    assert "--ignore normalize." in text
    assert "--mean 0.5,0.25,0.125 --std 0.2,0.3,0.4" in text


def test_a_larger_network_is_not_taken_for_a_smaller() -> None:
    text = refused(state("", {"4.weight": torch.ones(5, 5), "4.bias": torch.ones(5)}))
    assert "2 unexpected" in text
    assert "--arch" in text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.ones(4).to_sparse(), "a sparse tensor"),
        (torch.ones(4, device="meta"), "device meta"),
        (lambda: torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8), "quantized"),
        (torch.ones(4, dtype=torch.complex64), "complex numbers"),
        (torch.ones(4, dtype=torch.int8), "type torch.int8"),
        (torch.tensor([1.0, float("nan"), 1, 1]), "not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensors_that_hold_no_plain_numbers(value: Any, words: str) -> None:
    assert words in refused(state("", {"0.bias": value() if callable(value) else value}))


def test_lazy_layers_are_refused() -> None:
    with pytest.raises(InputError, match="lazy layers"):
        load(nn.Sequential(nn.LazyLinear(5)), without(PATH, state(), ()), "net")


def test_a_second_network_beside_one_without_a_prefix() -> None:
    given = {**state(), **state("ema.")}
    text = refused(given)
    assert "2 sets of its weights (one without a prefix, ema.)" in text
    assert text.endswith("give --ignore ema.")
    assert load(net(), without(PATH, given, ["ema."]), "net").prefix == ""


def test_a_prefix_that_drops_the_whole_network_is_named() -> None:
    text = refused(state("model.", {"loss.weight": torch.ones(5)}), "m")
    assert "--ignore drops model.0.weight, model.0.bias" in text


def test_no_number_is_refused_in_what_is_no_parameter_too() -> None:
    assert "not finite" in refused(state("", {"1.running_var": torch.full((4,), float("nan"))}))


def test_a_nested_tensor_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are of a prototype
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    assert "misshaped" in refused(state("", {"0.bias": nested}))


def test_a_module_that_leaves_weights_out_is_refused() -> None:
    class Renaming(nn.Linear):
        def _load_from_state_dict(self, given: Any, prefix: str, *rest: Any) -> None:
            given[f"{prefix}old"] = given.pop(f"{prefix}bias")
            super()._load_from_state_dict(given, prefix, *rest)

    module = Renaming(3, 2)
    with pytest.raises(InputError, match="its code leaves old, bias out"):
        load(module, without(PATH, nn.Linear(3, 2).state_dict(), ()), "net")


def test_a_counter_of_the_network_is_not_dropped() -> None:
    words = "--ignore drops 1.num_batches_tracked, which architecture net wants"
    assert words in refused(state(), "1.num_batches_tracked")
    ema = {f"ema.{name}": value for name, value in state().items()}
    load(net(), without(PATH, state() | ema, ["ema."]), "net")
    other = {name: value for name, value in state().items() if "num_batches" not in name}
    load(net(), without(PATH, other, ()), "net")
