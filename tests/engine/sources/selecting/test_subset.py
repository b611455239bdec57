"""The options of a subset, one after the other, on a source of arrays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import ImageSource, open_source
from smoothcert.engine.sources.selecting.index_file import IndexFile
from smoothcert.engine.sources.selecting.sampling import drawn
from smoothcert.engine.sources.selecting.subset import Subset, is_unlabelled


@pytest.fixture
def images(tmp_path: Path) -> ImageSource:
    """100 images, of which every fifth is of class 1."""
    path = tmp_path / "hundred.npz"
    labels = (np.arange(100) % 5 == 0).astype(np.int64)
    np.savez(path, images=np.zeros((100, 4, 4, 3), np.uint8), labels=labels)
    return open_source(path, None, 2)


def listed(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_text(text)
    return path


def test_nothing_asked_is_everything(images: ImageSource) -> None:
    assert Subset().is_all
    assert Subset.of_options(None) == Subset()
    assert list(Subset().eligible(images)) == list(range(100))
    assert Subset().describe() == {}


def test_a_list(images: ImageSource, tmp_path: Path) -> None:
    subset = Subset.of_options(listed(tmp_path, "99\n3-5"))
    assert list(subset.eligible(images)) == [3, 4, 5, 99]
    assert list(subset.describe()) == ["indices"]
    with pytest.raises(InputError, match="line 1 names image 100"):
        Subset.of_options(listed(tmp_path, "100")).eligible(images)


def test_a_sample_is_drawn_from_the_list(images: ImageSource, tmp_path: Path) -> None:
    few = Subset.of_options(listed(tmp_path, "20-39"), sample=5, sample_seed=1)
    assert few.eligible(images) == drawn(range(20, 40), 5, 1)


def test_a_stratified_sample_has_each_classs_share(images: ImageSource) -> None:
    found = Subset(sample=10, stratified=True).eligible(images)
    assert sum(images.label(index) for index in found) == 2
    assert len(found) == 10
    assert Subset(sample=10).eligible(images) != found


def test_a_description_is_what_was_asked(images: ImageSource, tmp_path: Path) -> None:
    path = listed(tmp_path, "0-49")
    subset = Subset.of_options(path, sample=8, stratified=True, sample_seed=3)
    described = json.loads(json.dumps(subset.describe()))
    again = Subset.of_description(described, IndexFile.read(path))
    assert again == subset
    assert Subset.of_description({"only_correct": {}}) == Subset(only_correct=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample": 0}, "sample 0 is out of range: expected 1 <= sample"),
        ({"sample": -3}, "sample -3 is out of range"),
        ({"stratified": True}, "stratified is of a sample only: give --sample"),
        ({"sample_seed": 5}, "sample-seed 5 is of a sample only"),
        ({"sample": 5, "sample_seed": 2**64}, r"out of range: expected 0 <= sample-seed < 2\^64"),
        ({"sample": 5, "sample_seed": -1}, "sample-seed -1 is out of range"),
    ],
)
def test_what_means_nothing_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Subset.of_options(None, **options)


def test_more_than_there_are_is_refused(images: ImageSource, tmp_path: Path) -> None:
    assert len(Subset(sample=100).eligible(images)) == 100
    with pytest.raises(InputError, match="sample 101 is more than the 100 images"):
        Subset(sample=101).eligible(images)
    with pytest.raises(InputError, match="sample 4 is more than the 3 images"):
        Subset.of_options(listed(tmp_path, "1 2 3"), sample=4).eligible(images)


class Unlabelled:
    """The images of another source, without its labels."""

    def __init__(self, images: ImageSource) -> None:
        self.image = images.image
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def label(self, index: int) -> int:
        return -1

    def describe(self) -> dict[str, Any]:
        return {**self._images.describe(), "read_as": {"unlabelled": True}}


def test_classes_of_an_unlabelled_source_have_no_share(images: ImageSource) -> None:
    without = Unlabelled(images)
    assert not is_unlabelled(images.describe())
    assert is_unlabelled(without.describe())
    assert len(Subset(sample=5).eligible(without)) == 5
    with pytest.raises(InputError, match="stratified needs labels, and the source is unlabelled"):
        Subset(sample=5, stratified=True).eligible(without)
