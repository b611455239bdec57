"""Checkpoints: every layout of the field, and nothing that runs code."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from smoothcert.engine.base.errors import InputError
from smoothcert.export.architectures import architecture
from smoothcert.export.checkpoint import inferred_classes, load_weights, read_checkpoint


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return architecture("cifar_resnet20", 10, (3, 32, 32))


def renamed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in net().state_dict().items()}


LAYOUTS: dict[str, Any] = {
    "the original's CIFAR": lambda: {"epoch": 90, "arch": "cifar_resnet20",
                                     "state_dict": renamed("1."), "optimizer": {"state": {}}},
    "the original's ImageNet": lambda: {"arch": "cifar_resnet20",
                                        "state_dict": renamed("1.module.")},
    "data parallel": lambda: renamed("module."),
    "data parallel around all": lambda: {"state_dict": renamed("module.1.")},
    "compiled": lambda: {"model": renamed("_orig_mod.")},
    "plain": lambda: renamed(""),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(LAYOUTS[layout](), path)
    checkpoint = read_checkpoint(path)
    assert inferred_classes(checkpoint.state) == 10
    module = architecture("cifar_resnet20", 10, (3, 32, 32))
    load_weights(module, checkpoint, "cifar_resnet20")
    for key, value in net().state_dict().items():
        assert torch.equal(module.state_dict()[key], value)
    if "original" in layout:
        assert checkpoint.facts["arch"] == "cifar_resnet20"


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(net().state_dict(), path)
    assert set(read_checkpoint(path).state) == set(net().state_dict())


def test_a_sequential_keeps_its_names(tmp_path: Path) -> None:
    path = tmp_path / "cnn.pth"
    module = architecture("small_cnn", 10, (1, 28, 28))
    torch.save({"state_dict": module.state_dict()}, path)
    assert set(read_checkpoint(path).state) == set(module.state_dict())


def test_old_checkpoints_without_batch_counters_load(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    state = {k: v for k, v in renamed("").items() if not k.endswith("num_batches_tracked")}
    torch.save(state, path)
    load_weights(net(), read_checkpoint(path), "cifar_resnet20")


class Harmful:
    """What unpickling would run."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle"])
def test_code_is_refused_and_not_run(how: str, tmp_path: Path) -> None:
    path, victim = tmp_path / "bad.pth", tmp_path / "made"
    content = {"state_dict": renamed(""), "x": Harmful(victim)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(InputError, match="needs code to load") as caught:
        read_checkpoint(path)
    assert not victim.exists()
    assert "\n" not in str(caught.value)


def test_whole_modules_are_refused_with_the_class(tmp_path: Path) -> None:
    path = tmp_path / "module.pth"
    torch.save(net(), path)
    with pytest.raises(InputError, match=r"CifarResNet|resnet"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [([1, 2], "holds a list"), ({}, "holds no weights"), ({"epoch": 3}, "holds no weights")],
)
def test_no_weights(content: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=words):
        read_checkpoint(path)


def test_missing_empty_and_truncated_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_checkpoint(tmp_path / "absent.pth")
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"x{suffix}"
        path.touch()
        with pytest.raises(InputError, match="empty"):
            read_checkpoint(path)
        path.write_bytes(b"some bytes that are nothing")
        with pytest.raises(InputError) as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)
    path = tmp_path / "cut.pth"
    torch.save(renamed(""), path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match="cannot be read"):
        read_checkpoint(path)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    state = renamed("")
    state["fc.weight"] = torch.zeros(7, 64)
    state["extra.weight"] = state.pop("conv1.weight")
    torch.save(state, path)
    with pytest.raises(InputError) as caught:
        load_weights(net(), read_checkpoint(path), "cifar_resnet20")
    text = str(caught.value)
    assert "1 missing (conv1.weight)" in text
    assert "1 unexpected (extra.weight)" in text
    assert "fc.weight (7, 64) for (10, 64)" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "content", [{"net\nwork": {"w": torch.ones(2)}}, {"w\x1b[31m": torch.ones(2)}]
)
def test_names_that_cannot_be_printed_are_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match="names that can be printed") as caught:
        read_checkpoint(tmp_path / "x.pth")
    assert str(caught.value).isprintable()
