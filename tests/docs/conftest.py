"""Small files under the names that the documents use."""

import os
import shutil
from pathlib import Path

import foreign_models
import numpy as np
import pytest
import torch
from PIL import Image

import smoothcert
from smoothcert.export.architectures.small_cnn import SmallCnn

_WNIDS = ("n01440764", "n02102040", "n02979186", "n03000684", "n03028079")
_DENOISER = """
from torch import nn

def dncnn_25():
    return nn.Conv2d(3, 3, 3, padding=1)
"""


@pytest.fixture(scope="session")
def documented_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a checkpoint, images and a log."""
    folder = tmp_path_factory.mktemp("documented")
    foreign_models.classifier(folder / "small.onnx")
    shutil.copy(folder / "small.onnx", folder / "model.onnx")
    shutil.copy(folder / "small.onnx", folder / "int8.onnx")
    torch.manual_seed(0)
    facts = {"arch": "small_cnn", "num_classes": 5, "input_shape": [3, 8, 8], "epoch": 1}
    network = SmallCnn(5, (3, 8, 8))
    torch.save({**facts, "state_dict": network.state_dict()}, folder / "checkpoint.pth.tar")
    rng = np.random.default_rng(0)
    for name, number in (("images.npz", 6), ("test.npz", 6), ("train.npz", 70)):
        pixels = rng.integers(0, 256, (number, 8, 8, 3), np.uint8)
        np.savez(folder / name, images=pixels, labels=np.arange(number) % 5)
    photographs = tmp_path_factory.mktemp("photographs")
    val = photographs / "val"
    for index, wnid in enumerate(_WNIDS):
        (val / wnid).mkdir(parents=True)
        image = Image.fromarray(np.full((8, 8, 3), 100 + 20 * index, np.uint8))
        image.save(val / wnid / "0.png")
        for copy in range(1, 100):  # enough for --sample 500
            os.link(val / wnid / "0.png", val / wnid / f"{copy}.png")
    (folder / "imagenet").symlink_to(photographs)
    (folder / "val").symlink_to(val)
    (folder / "mydenoisers.py").write_text(_DENOISER, encoding="utf-8")
    smoothcert.certify(
        folder / "model.onnx", val, sigma=0.5, n=200, max=3, out=folder / "out.tsv"
    ).run()
    return folder
