"""Makes the two committed files of the demo from Fashion-MNIST and a trained checkpoint.

python data/prepare_demo.py IDX_FOLDER CHECKPOINT.pth.tar OUT_FOLDER

Writes the first 500 test images (fashion_mnist_500.npz) and the checkpoint without what only
training needs (fashion_mnist_sigma25.pth).
"""

import sys
from pathlib import Path

import numpy as np
import torch

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import open_source

IMAGES = 500
_KEPT = ("epoch", "arch", "state_dict", "dataset", "num_classes", "input_shape", "sigma")


def main() -> None:
    idx, checkpoint, out = map(Path, sys.argv[1:])
    source = open_source(idx, InputSpec(1, 28, 28), 10)
    images = np.stack([source.image(i)[0] for i in range(IMAGES)])
    labels = np.array([source.label(i) for i in range(IMAGES)], np.uint8)
    np.savez_compressed(out / "fashion_mnist_500.npz", images=images, labels=labels)
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    torch.save({key: content[key] for key in _KEPT}, out / "fashion_mnist_sigma25.pth")


if __name__ == "__main__":
    main()
