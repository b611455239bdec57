"""Photographs that are decoded once for several runs, within a bound."""

from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.run.kept_images import KeptImages, kept_images
from smoothcert.engine.sources import PhotographSource, open_source

SPEC = InputSpec(3, 16, 16, resize=16)
SIZE = 3 * 16 * 16


def test_what_is_kept_is_what_the_source_gives(photograph_folder: Path) -> None:
    source = open_source(photograph_folder, SPEC, 2)
    kept = KeptImages(source, 3 * SIZE)  # room for three
    first = [kept.image(index) for index in range(12)]
    for index, pixels in enumerate(first):
        assert np.array_equal(pixels, source.image(index))
        pixels[:] = 0  # the caller's: what is kept stays as it is
    assert (len(kept), kept.describe()) == (12, source.describe())
    assert [kept.label(index) for index in range(12)] == [source.label(i) for i in range(12)]
    expected = [source.image(index) for index in range(3)]
    for file in photograph_folder.rglob("*.jpg"):
        file.write_bytes(b"")
    for index in range(3):
        assert np.array_equal(kept.image(index), expected[index])
    for index in range(3, 12):  # beyond the bound: decoded again
        with pytest.raises(InputError):
            kept.image(index)


def test_what_could_not_be_read_is_tried_again(photograph_folder: Path) -> None:
    kept = KeptImages(open_source(photograph_folder, SPEC, 2), 12 * SIZE)
    file = sorted((photograph_folder / "blue").iterdir())[0]
    whole = file.read_bytes()
    file.write_bytes(b"")
    with pytest.raises(InputError):
        kept.image(0)
    file.write_bytes(whole)
    assert kept.image(0).shape == (3, 16, 16)


def test_photographs_on_one_device_are_kept(photograph_folder: Path, source: Path) -> None:
    photographs = open_source(photograph_folder, SPEC, 2)
    assert isinstance(photographs, PhotographSource)
    assert isinstance(kept_images(photographs, "cpu"), KeptImages)
    assert isinstance(kept_images(photographs, "cuda:0"), KeptImages)
    assert kept_images(photographs, "cuda:0,cuda:1") is photographs
    arrays = open_source(source, InputSpec(3, 6, 6), 4)
    assert kept_images(arrays, "cpu") is arrays
