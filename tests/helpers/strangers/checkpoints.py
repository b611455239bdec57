"""Checkpoints of strangers: the weights of one small network, in the layouts that scripts leave."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from strangers.certifying import certify, image_file, rows
from strangers.command import Done, Table, smoothcert

TABLE = Table("checkpoint")

Weights = Mapping[str, torch.Tensor]


def network() -> nn.Module:
    """What --arch strangers.checkpoints:network makes."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )


def headed() -> nn.Module:
    """A network whose own names all begin with `1.`: that is no wrapper's prefix."""
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 5))


def weights(made: nn.Module) -> Weights:
    """Its weights, random but the same ones always."""
    torch.manual_seed(0)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made.state_dict()


def export(folder: Path, checkpoint: Path, *options: object, arch: str = "network") -> Done:
    """`export` of a checkpoint, as a stranger types it."""
    return smoothcert(
        "export", checkpoint, "-o", folder / "model.onnx", "--force",
        "--arch", f"strangers.checkpoints:{arch}", "--num-classes", 5, "--input-shape", "3,8,8",
        "--mean", "0,0,0", "--std", "1,1,1", *options,
    )  # fmt: skip


def _works(folder: Path, checkpoint: Path, *said: str, options: tuple[object, ...] = ()) -> None:
    """It is exported, votes as the weights in the file do, and certifies as they do."""
    done = export(folder, checkpoint, *options)
    done.works(": 0 votes differ", *said)
    assert not done.err
    plain = folder / "plain.pth"
    torch.save(weights(network()), plain)
    source = image_file(folder)
    certify(folder / "model.onnx", source, folder / "out.tsv").works()
    export(folder, plain).works()
    certify(folder / "model.onnx", source, folder / "plain.tsv").works()
    assert rows(folder / "out.tsv") == rows(folder / "plain.tsv")


def _saved(folder: Path, name: str, content: Any) -> Path:
    torch.save(content, folder / name)
    return folder / name


@TABLE.row("plain.safetensors")
def plain_safetensors(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(dict(weights(network())), str(folder / "plain.safetensors"))
    _works(folder, folder / "plain.safetensors")


@TABLE.row("net.pth")
def net(folder: Path) -> None:
    content = {"net": weights(network()), "acc": 93.1, "epoch": 4}
    _works(folder, _saved(folder, "net.pth", content), "weights from net")


@TABLE.row("ema.pth")
def ema(folder: Path) -> None:
    content = {"model_ema": weights(network()), "optimizer": {}}
    _works(folder, _saved(folder, "ema.pth", content), "weights from model_ema")


@TABLE.row("plain_and_ema.pth")
def plain_and_ema(folder: Path) -> None:
    state = weights(network())
    zeros = {name: value * 0 for name, value in state.items()}
    path = _saved(folder, "both.pth", {"state_dict": zeros, "state_dict_ema": state})
    export(folder, path).refused("state_dict", "state_dict_ema", "--weights")
    _works(folder, path, options=("--weights", "state_dict_ema"))
    dead = export(folder, path, "--weights", "state_dict")
    dead.works()
    assert "the same" in dead.out + dead.err  # its logits, for all images: a warning


@TABLE.row("lightning.ckpt")
def lightning(folder: Path) -> None:
    state = {f"model.{name}": value for name, value in weights(network()).items()}
    content = {
        "state_dict": state,
        "hyper_parameters": {"lr": 0.1},
        "pytorch-lightning_version": "2.5.0",
    }
    _works(folder, _saved(folder, "lightning.ckpt", content), "model.")


@TABLE.row("module_in_module.pth")
def module_in_module(folder: Path) -> None:
    state = {f"module.backbone.{name}": value for name, value in weights(network()).items()}
    _works(folder, _saved(folder, "wrapped.pth", {"model": state}), "module.backbone.")
    own = _saved(folder, "own.pth", {"state_dict": weights(headed())})
    export(folder, own, arch="headed").works(": 0 votes differ")


@TABLE.row("criterion_too.pth")
def criterion_too(folder: Path) -> None:
    state = {**weights(network()), "criterion.weight": torch.ones(5)}
    path = _saved(folder, "criterion.pth", {"state_dict": state})
    export(folder, path).refused("criterion.weight", "--ignore")
    _works(folder, path, options=("--ignore", "criterion."))
    export(folder, path, "--ignore", "criterion.", "--ignore", "loss.").refused("loss.")
    export(folder, path, "--ignore", "criterion.", "--ignore", "4.").refused("4.")


@TABLE.row("namespace.pth.tar")
def namespace(folder: Path) -> None:
    content = {"state_dict": weights(network()), "args": argparse.Namespace(lr=0.1)}
    _works(folder, _saved(folder, "namespace.pth.tar", content))


@TABLE.row("numpy_scalar.pth")
def numpy_scalar(folder: Path) -> None:
    content = {"state_dict": weights(network()), "best_acc1": np.float64(93.1)}
    _works(folder, _saved(folder, "scalar.pth", content))


@TABLE.row("torchscript.pt")
def torchscript(folder: Path) -> None:
    made = network()
    made.load_state_dict(dict(weights(network())))
    path = folder / "script.pt"
    trace: Any = torch.jit.trace
    trace(made.eval(), torch.zeros(1, 3, 8, 8)).save(str(path))
    export(folder, path).refused("TorchScript", "program", "state_dict()")
