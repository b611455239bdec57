"""The shape of what an object holds; and no library is imported to find out what it is."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from held_data import LABELS, SHAPE, Pairs, random_pixels
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.objects import shape_of
from smoothcert.engine.sources.options import SourceOptions

PIXELS = random_pixels()
FIRST = PIXELS.transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    "data",
    [PIXELS, (PIXELS, LABELS), (torch.from_numpy(FIRST), LABELS), Pairs(), Pairs("float tensor"),
     [{"x": image, "y": 0} for image in FIRST]],
)  # fmt: skip
def test_the_shape_is_that_of_the_images(data: Any) -> None:
    columns = SourceOptions(columns=("x", "y")) if isinstance(data, list) else SourceOptions()
    assert shape_of(data, columns) == SHAPE
    assert open_source(data, None, 4, columns).image(0).shape in (SHAPE, (3, 224, 224))


def test_grey_images_have_one_channel() -> None:
    assert shape_of(PIXELS[..., 0]) == (1, 6, 6)
    assert shape_of([(Image.new("L", (5, 4)), 0)]) == (1, 4, 5)


def test_photographs_of_several_sizes_have_none() -> None:
    data = [(Image.new("RGB", (5, 4)), 0), (Image.new("RGB", (6, 4)), 0)]
    with pytest.raises(InputError, match=r"several sizes.*give input_shape=.*resize=S"):
        shape_of(data)
    with pytest.raises(InputError, match="expected"):
        shape_of(np.zeros(3))
    with pytest.raises(InputError, match="no source of images"):
        shape_of(3)


def test_neither_torch_nor_datasets_is_imported() -> None:
    program = (
        "import sys, numpy as np; from smoothcert.engine.sources import open_source;"
        "pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3)).astype(np.uint8);"
        "open_source((pixels, [0, 1, 0, 1]), None, 2);"
        "open_source([(image, 0) for image in pixels], None, 2);"
        "assert not {'torch', 'datasets', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
