"""Decoding ahead keeps the order, stays bounded, and hands errors over in their turn."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.base import FailedImage
from smoothcert.engine.sources.reading import decoded_ahead


class Numbered:
    """A source whose image i is filled with i; image 5 is damaged."""

    def __init__(self) -> None:
        self.loaded: list[int] = []
        self.threads: set[int] = set()

    def __len__(self) -> int:
        return 20

    def label(self, index: int) -> int:
        return index % 3

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        self.loaded.append(index)
        self.threads.add(threading.get_ident())
        if index == 5:
            raise InputError("image 5 is damaged")
        return np.full((1, 2, 2), index, np.uint8)

    def describe(self) -> dict[str, Any]:
        return {}


def test_order_and_content() -> None:
    source = Numbered()
    seen = [(i.index, i.label, int(i.pixels[0, 0, 0])) for i in decoded_ahead(source, [9, 0, 4])]
    assert seen == [(9, 0, 9), (0, 0, 0), (4, 1, 4)]
    assert threading.get_ident() not in source.threads
    assert len(source.threads) == 1


def test_work_ahead_is_bounded() -> None:
    source = Numbered()
    images = decoded_ahead(source, range(6, 20), ahead=3)
    next(images)
    images.close()
    assert len(source.loaded) <= 4


def test_an_error_comes_in_its_turn() -> None:
    images = decoded_ahead(Numbered(), range(3, 9))
    assert next(images).index == 3
    assert next(images).index == 4
    with pytest.raises(InputError, match="damaged"):
        next(images)


def test_nothing_to_decode() -> None:
    assert list(decoded_ahead(Numbered(), [])) == []


def test_a_failure_that_is_listened_to_costs_only_its_image() -> None:
    failed: list[FailedImage] = []
    images = decoded_ahead(Numbered(), range(3, 9), ahead=2, on_failure=failed.append)
    assert [image.index for image in images] == [3, 4, 6, 7, 8]
    assert failed == [FailedImage(5, "image 5 is damaged")]
