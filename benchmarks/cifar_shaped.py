"""Fashion-MNIST (or MNIST) as 3x32x32 images, to try CIFAR networks without CIFAR.

python benchmarks/cifar_shaped.py FOLDER/train-images-idx3-ubyte.gz train.npz
python benchmarks/cifar_shaped.py FOLDER test.npz
"""

import argparse
from pathlib import Path

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import ImageSource, open_source

_SIDE = 32


def write_cifar_shaped(source: ImageSource, out: Path) -> None:
    """Write grey images, centred on black and repeated in three channels, as an .npz source:
    images uint8 [N, 32, 32, 3] and labels. Raises InputError unless they are at most 32x32."""
    channels, height, width = source.image(0).shape
    if channels != 1 or max(height, width) > _SIDE:
        raise InputError(
            f"images are {channels}x{height}x{width}: expected grey ones of at most 32x32"
        )
    images = np.zeros((len(source), _SIDE, _SIDE, 3), dtype=np.uint8)
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    for index in range(len(source)):
        (grey,) = source.image(index)
        images[index, top : top + height, left : left + width] = grey[:, :, np.newaxis]
    labels = np.array([source.label(index) for index in range(len(source))])
    np.savez_compressed(out, images=images, labels=labels)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", help="grey images of at most 32x32")
    parser.add_argument("out", type=Path, help="the .npz to write")
    arguments = parser.parse_args()
    write_cifar_shaped(open_source(arguments.source, None, None), arguments.out)
