"""Sources of encoded photographs: given the bytes, the rest is the same for all."""

import io

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.base import PhotographSource
from smoothcert.engine.sources.encoded import EncodedSource

SPEC = InputSpec(3, 4, 4, resize=5)


class Shelf(EncodedSource):
    """Two photographs in memory, the second of them damaged."""

    kind = "shelf"

    def __init__(self, spec: InputSpec | None = SPEC) -> None:
        super().__init__("mine", spec)
        self.digests = 0
        pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        self.data = [file.getvalue(), file.getvalue()[:40]]

    def __len__(self) -> int:
        return 2

    def label(self, index: int) -> int:
        return index

    def encoded(self, index: int) -> tuple[bytes, str]:
        return self.data[index], f"shelf: number {index}"

    def digest(self) -> str:
        self.digests += 1
        return "d"


def test_images_are_decoded_as_a_photograph_is() -> None:
    shelf = Shelf()
    assert isinstance(shelf, PhotographSource)
    expected = photograph.decode(shelf.data[0], "", SPEC)
    np.testing.assert_array_equal(shelf.image(0), expected)
    assert shelf.whole(0).size == (6, 8)
    for read in (shelf.image, shelf.whole):
        with pytest.raises(InputError, match="shelf: number 1: cannot be decoded"):
            read(1)


def test_the_digest_is_computed_once_and_when_it_is_asked_for() -> None:
    shelf = Shelf()
    assert shelf.digests == 0
    described = {"kind": "shelf", "name": "mine", "images": 2, "classes": None, "digest": "d"}
    assert shelf.describe() == shelf.describe() == described
    assert shelf.digests == 1


def test_a_model_that_eats_no_photographs_is_refused() -> None:
    with pytest.raises(InputError, match="has 2 channels"):
        Shelf(InputSpec(2, 4, 4))
    assert Shelf(None).image(0).shape == photograph.DEFAULT_SPEC.shape
