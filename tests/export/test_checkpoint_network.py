"""Which weights of a checkpoint make the network: the only ones that fit, or a question."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.export.checkpoint import load_weights, read_checkpoint
from smoothcert.export.checkpoint_network import Asked, Loaded, load_network

SHAPE = (3, 8, 8)


def small(num_classes: int = 5) -> nn.Module:
    """A network whose last bias tells nothing of its classes."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, num_classes, bias=False))


def headed(num_classes: int = 5) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, num_classes))


@pytest.fixture(autouse=True)
def factories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def loaded(tmp_path: Path, content: Any, arch: str = "headed", **asked: Any) -> Loaded:
    torch.save(content, tmp_path / "x.pth")
    name = f"{Path(__file__).stem}:{arch}"
    return load_network(read_checkpoint(tmp_path / "x.pth"), name, SHAPE, Asked(**asked))


def filled(value: float, classes: int = 5) -> dict[str, torch.Tensor]:
    return {name: torch.full_like(w, value) for name, w in headed(classes).state_dict().items()}


def value_of(found: Loaded) -> float:
    return float(found.module.state_dict()["1.bias"][0])


@pytest.mark.parametrize("name", ["net", "model_ema", "params", "a.b"])
def test_the_only_dict_of_tensors_holds_the_weights(name: str, tmp_path: Path) -> None:
    found = loaded(tmp_path, {name: filled(2), "acc": 93.1, "optimizer": {"lr": 1}})
    assert value_of(found) == 2
    assert found.said == (f"weights from {name}",)
    assert found.recorded == {"weights": name}


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "1.", "1.module."])
def test_where_weights_usually_are_nothing_is_said(name: str, prefix: str, tmp_path: Path) -> None:
    state = {prefix + key: value for key, value in filled(2).items()}
    found = loaded(tmp_path, {name: state, "epoch": 3})
    assert value_of(found) == 2
    assert (found.said, found.recorded) == ((), {})


def test_two_sets_of_weights_are_a_question(tmp_path: Path) -> None:
    content = {"state_dict": filled(0), "state_dict_ema": filled(1)}
    with pytest.raises(InputError, match=r"\(state_dict, state_dict_ema\).*--weights"):
        loaded(tmp_path, content)
    for value, name in enumerate(content):
        found = loaded(tmp_path, content, weights=name)
        assert value_of(found) == value
        assert found.said == (f"weights from {name}",)
    with pytest.raises(InputError, match="expected state_dict, state_dict_ema"):
        loaded(tmp_path, content, weights="ema")


def test_of_several_sets_the_one_that_fits_is_taken(tmp_path: Path) -> None:
    content = {
        "generator": {"0.weight": torch.zeros(3, 3)},
        "discriminator": {"net": {f"module.{k}": v for k, v in filled(2).items()}},
        "centres": {"c": torch.zeros(5, 2)},
    }
    found = loaded(tmp_path, content)
    assert value_of(found) == 2
    assert found.said == ("weights from discriminator.net",)
    module = headed()
    load_weights(module, read_checkpoint(tmp_path / "x.pth"), "headed")
    assert float(module.state_dict()["1.bias"][0]) == 2


def test_shapes_decide_where_names_do_not(tmp_path: Path) -> None:
    wide = {"1.weight": torch.zeros(5, 768), "1.bias": torch.zeros(5)}
    assert value_of(loaded(tmp_path, {"teacher": wide, "student": filled(2)})) == 2


def test_no_set_that_fits_is_a_question_too(tmp_path: Path) -> None:
    other = {"a.weight": torch.zeros(3, 3)}
    with pytest.raises(InputError, match=r"2 sets of weights \(b, a\)"):
        loaded(tmp_path, {"a": other, "b": {"x": torch.zeros(2), "y": torch.zeros(2)}})


def test_what_is_ignored_is_said_and_recorded(tmp_path: Path) -> None:
    content = {"net": {**filled(2), "loss.w": torch.zeros(5)}}
    with pytest.raises(InputError, match=r"--ignore loss\."):
        loaded(tmp_path, content)
    found = loaded(tmp_path, content, ignore=("loss.",))
    assert found.said == ("weights from net", "ignored loss.w")
    assert found.recorded == {"weights": "net", "ignored": ["loss."]}


@pytest.mark.parametrize("asked", [{}, {"implied": 10}, {"num_classes": 7}])
def test_classes_are_those_of_the_weights(asked: dict[str, int], tmp_path: Path) -> None:
    """The last bias is the convolution's: four."""
    found = loaded(tmp_path, {"net": small(7).state_dict()}, "small", **asked)
    assert found.module.state_dict()["2.weight"].shape == (7, 144)


def test_another_number_of_classes_is_not_taken_in_place_of_the_one_asked_for(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match=r"2\.weight \(7, 144\) for \(5, 144\)"):
        loaded(tmp_path, {"net": small(7).state_dict()}, "small", num_classes=5)
