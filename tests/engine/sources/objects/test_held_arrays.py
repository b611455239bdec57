"""Arrays and tensors of a program, as an .npz of the same images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from held_data import COUNT, LABELS, SHAPE, random_pixels

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.options import SourceOptions

SPEC = InputSpec(*SHAPE)
PIXELS = random_pixels()
FIRST = PIXELS.transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (PIXELS, LABELS),
        (PIXELS, LABELS.tolist()),
        (PIXELS.astype(np.int64), LABELS.astype(np.float32)),
        (FIRST, np.eye(4)[LABELS]),
        (PIXELS / 255, LABELS),
        (torch.from_numpy(FIRST), torch.from_numpy(LABELS)),
        (torch.from_numpy(FIRST).float() / 255, torch.from_numpy(LABELS)[:, None]),
    ],
)
def test_arrays_are_what_an_npz_of_them_is(images: Any, labels: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=PIXELS, labels=LABELS)
    file = open_source(tmp_path / "images.npz", SPEC, 4)
    for data in ((images, labels), [images, labels]):
        held = open_source(data, SPEC, 4)
        assert len(held) == COUNT
        for index in range(COUNT):
            assert held.label(index) == file.label(index)
            assert np.array_equal(held.image(index), file.image(index))


def test_the_digest_is_of_pixels_and_labels_as_they_are_read() -> None:
    def digest(images: Any, labels: Any = LABELS) -> Any:
        return open_source((images, labels), SPEC, 4).describe()["digest"]

    assert digest(PIXELS) == digest(torch.from_numpy(FIRST).float() / 255)
    other = PIXELS.copy()
    other[-1, -1, -1, -1] ^= 1
    assert digest(PIXELS) != digest(other)
    assert digest(PIXELS) != digest(PIXELS, (LABELS + 1) % 4)


def test_images_alone_have_no_labels() -> None:
    for data, options in (
        (PIXELS, SourceOptions()),
        (torch.from_numpy(FIRST), SourceOptions()),
        ((PIXELS, LABELS), SourceOptions(unlabelled=True)),
    ):
        held = open_source(data, SPEC, 4, options)
        assert {held.label(index) for index in range(COUNT)} == {-1}
        assert held.describe()["read_as"]["unlabelled"] is True


def test_names_are_classes() -> None:
    names = np.array(["cat", "dog", "eel", "fox"])[LABELS]
    held = open_source((PIXELS, names), SPEC, 4)
    assert [held.label(index) for index in range(COUNT)] == LABELS.tolist()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((PIXELS / 127.5 - 1, LABELS), "normalised already.*the model its normalisation"),
        ((PIXELS / 255 + 0.001, LABELS), "a certificate is about 8-bit images"),
        ((PIXELS, LABELS[:-1]), "12 images but 11 labels"),
        ((PIXELS, LABELS + 1), "label 4: expected 0..3"),
        ((PIXELS, [[1], [1, 2]]), "labels are no list of numbers"),
        ((PIXELS[:, :3], LABELS), "expected that size"),
        ((PIXELS.astype(object), LABELS), "images are object"),
        ((torch.zeros(12, 3, 6, 6).bfloat16(), LABELS), "cannot be read by numpy"),
    ],
)
def test_arrays_that_are_no_images_are_refused_in_one_line(data: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        open_source(data, SPEC, 4)
    assert "\n" not in str(caught.value)
