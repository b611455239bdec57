"""What doctor says of checkpoints: their sets of weights, whose they may be, how to export them."""

import zipfile
from pathlib import Path

import pytest
import torch
from doctored import doctor
from torch import nn

from smoothcert.export.architectures import architecture


def state_of(arch: str = "small_cnn", classes: int = 10) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return architecture(arch, classes, (1, 28, 28)).state_dict()


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_a_checkpoint_that_says_all_is_a_model(tmp_path: Path) -> None:
    content = {"arch": "small_cnn", "dataset": "mnist", "epoch": 4, "state_dict": state_of()}
    found = doctor(saved(tmp_path / "c.pth", content))
    assert found.status == 0
    assert found.states("weights") == ["state_dict"]
    assert "epoch 4" in found.notes("says")[0]
    assert found.states("takes") == ["1x28x28"]
    assert found.commands[-1][1] == "certify"


def test_bare_weights_are_recognised(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.pth", {"net": {f"module.{k}": v for k, v in state_of().items()}})
    found = doctor(path)
    assert found.status == 0
    assert found.states("names") == ["module."]
    assert found.states("architecture") == ["small_cnn?"]
    assert found.commands[-1][5:] == [
        *("--arch", "small_cnn", "--num-classes", "10", "--input-shape", "1,28,28"),
    ]


def test_a_resnet_is_told_from_its_sisters(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = architecture("cifar_resnet20", 10, (3, 32, 32)).state_dict()
    found = doctor(saved(tmp_path / "c.pth", state))
    assert found.states("architecture") == ["cifar_resnet20?"]
    assert found.commands[-1][5:] == ["--arch", "cifar_resnet20", "--num-classes", "10"]


def test_a_network_of_nobody_here_wants_a_factory(tmp_path: Path) -> None:
    state = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 7)).state_dict()
    found = doctor(saved(tmp_path / "c.pth", {f"model.{k}": v for k, v in state.items()}))
    assert found.status == 0
    assert found.states("architecture") == ["missing"]
    assert "its parts are 0, 2" in found.notes("architecture")[0]
    assert found.commands[-1][5:] == [
        *("--arch", "pkg.module:factory", "--num-classes", "7", "--input-shape", "3,H,W"),
    ]


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (("cls_token", "pos_embed", "blocks.0.attn.proj.bias"), "timm"),
        (("features.0.weight", "classifier.1.bias"), "torchvision"),
    ],
)
def test_a_familiar_family_is_named(tmp_path: Path, names: tuple[str, ...], family: str) -> None:
    found = doctor(saved(tmp_path / "c.pth", {name: torch.ones(3, 2) for name in names}))
    assert family in found.notes("architecture")[0]


def test_two_sets_are_both_shown(tmp_path: Path) -> None:
    state = state_of()
    zeros = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    path = saved(tmp_path / "c.pth", {"state_dict": zeros, "state_dict_ema": state})
    found = doctor(path)
    assert found.status == 0
    assert "all of state_dict is 0" in found.notes("weights")[1]
    assert found.states("option") == ["--weights state_dict", "--weights state_dict_ema"]
    assert [words[words.index("--weights") + 1] for words in found.commands] == [
        "state_dict",
        "state_dict_ema",
    ]
    assert found.states("architecture") == ["small_cnn?"]


def test_programs_are_not_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"m/{name}", b"")
    found = doctor(tmp_path / "m.pt")
    assert found.status == 1
    assert "TorchScript" in found.states("model")[0]


def test_no_weights_at_all_is_one_line(tmp_path: Path) -> None:
    found = doctor(saved(tmp_path / "c.pth", {"epoch": 4, "acc": 93.1}))
    assert found.status == 1
    assert "holds no weights" in found.notes("as it stands")[0]
