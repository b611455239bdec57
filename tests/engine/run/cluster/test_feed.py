"""The feed of a worker: order, running dry, giving back, images that cannot be read."""

import threading
import time

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.run.cluster.feed import Assignment, ImageFeed
from smoothcert.engine.sources.base import LabelledImage


def read(index: int) -> LabelledImage:
    if index == 5:
        raise InputError("image 5\nis damaged")
    if index == 6:
        raise KeyError("a defect")
    return LabelledImage(index, 0, np.full((1, 2, 2), index, np.uint8))


@pytest.fixture
def feed() -> ImageFeed:
    return ImageFeed(read, threading.Condition())


def pulled(feed: ImageFeed, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        assert feed.wait()
        found.extend(image.index for image in feed)
    return found


def test_it_runs_dry_and_goes_on(feed: ImageFeed) -> None:
    assert next(feed, None) is None
    assert feed.starved
    feed.put([Assignment(1), Assignment(2, 3, np.zeros((1, 2, 2), np.uint8))])
    assert pulled(feed, 2) == [1, 2]
    feed.put([Assignment(3)])
    assert pulled(feed, 1) == [3]
    assert feed.accepted == 3


def test_pixels_that_were_sent_are_a_copy(feed: ImageFeed) -> None:
    pixels = np.zeros((1, 2, 2), np.uint8)
    feed.put([Assignment(2, 3, pixels)])
    image = next(feed)
    pixels[:] = 9
    assert image.label == 3
    assert not image.pixels.any()


def test_images_are_given_back_once_from_the_end(feed: ImageFeed) -> None:
    feed.put(Assignment(index) for index in (1, 2, 3, 4))
    assert feed.take_back(2) == [4, 3]
    assert pulled(feed, 2) == [1, 2]
    assert feed.take_back(2) == []


def test_an_unreadable_image_is_put_aside(feed: ImageFeed) -> None:
    feed.put(Assignment(index) for index in (4, 5, 7))
    assert pulled(feed, 2) == [4, 7]
    assert [(f.index, f.reason) for f in feed.failed] == [(5, "image 5 is damaged")]


def test_a_defect_is_not_taken_for_a_damaged_image(feed: ImageFeed) -> None:
    feed.put([Assignment(6)])
    with pytest.raises(KeyError):
        feed.wait()


def test_closing_ends_a_wait(feed: ImageFeed) -> None:
    threading.Timer(0.05, feed.close).start()
    start = time.monotonic()
    assert not feed.wait()
    assert time.monotonic() - start < 10
