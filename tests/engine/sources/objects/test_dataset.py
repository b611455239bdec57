"""Data sets of torch: images in whatever form, labels from lists or items, and what is refused."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from held_data import COUNT, FORMS, LABELS, SHAPE, Pairs, random_pixels
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import PhotographSource, open_source
from smoothcert.engine.sources.objects.dataset import DatasetSource
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.reading import load

SPEC = InputSpec(*SHAPE)
PIXELS = random_pixels()
TENSORS = TensorDataset(
    torch.from_numpy(PIXELS).permute(0, 3, 1, 2), torch.from_numpy(LABELS.astype(np.int64))
)


class Listed(Pairs):
    """With the list that torchvision's data sets have."""

    classes: Any = None
    target_transform: Any = None

    def __init__(self, targets: Any, **more: Any) -> None:
        super().__init__(**more)
        self.targets = targets


def dicts(image: str, label: str) -> list[dict[str, Any]]:
    return [{image: pixels, label: int(k)} for pixels, k in zip(PIXELS, LABELS, strict=True)]


def check_all(data: Any, **options: Any) -> None:
    source = open_source(data, SPEC, 4, SourceOptions(**options))
    assert len(source) == COUNT
    for index in (*range(COUNT), 0):
        image = load(source, index)
        assert image.label == LABELS[index]
        assert image.pixels.flags.c_contiguous
        assert np.array_equal(image.pixels, PIXELS[index].transpose(2, 0, 1))


@pytest.mark.parametrize("form", FORMS)
def test_an_image_in_any_form(form: str) -> None:
    check_all(Pairs(form))


@pytest.mark.parametrize(
    "data",
    [
        TENSORS,
        Subset(TENSORS, range(COUNT)),
        ConcatDataset([Subset(TENSORS, range(5)), Subset(TENSORS, range(5, 12))]),
        ConcatDataset([Subset(Pairs(), range(5)), Subset(TENSORS, range(5, 12))]),
        Listed(LABELS.tolist()),
        Listed(torch.from_numpy(LABELS)),
        Pairs().pairs(),
        dicts("image", "label"),
        dicts("pixel_values", "labels"),
        [(image, np.int64(label), "a.png") for image, label in Pairs().pairs()],
    ],
)
def test_data_sets_as_they_are_made(data: Any) -> None:
    check_all(data)


def test_items_with_other_names_are_told_by_columns() -> None:
    check_all(dicts("x", "y"), columns=("x", "y"))
    with pytest.raises(InputError, match=r"have x, y: .*columns=\(IMAGE, LABEL\)"):
        open_source(dicts("x", "y"), SPEC, 4)
    with pytest.raises(InputError, match="no z: expected columns"):
        open_source(dicts("x", "y"), SPEC, 4, SourceOptions(columns=("x", "z")))


def test_listed_labels_are_had_without_images() -> None:
    data = Listed(LABELS.tolist(), count=COUNT)
    source = open_source(data, SPEC, 4)
    data.asked.clear()
    assert [source.label(index) for index in range(COUNT)] == LABELS.tolist()
    assert not data.asked


def test_an_item_is_read_once_for_label_and_image() -> None:
    data = Pairs()
    source = open_source(data, SPEC, 4)
    data.asked.clear()
    load(source, 9)
    assert data.asked == [9]
    assert source.label(9) == LABELS[9]
    assert data.asked == [9]


def test_a_list_that_is_not_the_items_is_not_believed() -> None:
    check_all(Listed(((LABELS + 1) % 4).tolist()))  # the items say otherwise from the first on
    wrong = LABELS.tolist()
    wrong[9] = 0
    source = open_source(Listed(wrong), SPEC, 4)
    with pytest.raises(InputError, match=r"image 9 has label 1, and 0 in the data set's list"):
        source.image(9)


def test_names_of_classes_count_where_the_model_has_others(tmp_path: Path) -> None:
    """As those of a folder do; but not of labels that a transform has made of them."""
    (tmp_path / "classes.txt").write_text("cow\ndog\ncat\nbee\nant\n")
    data = Listed(LABELS.tolist())
    data.classes = ["ant", "bee", "cat", "dog"]
    assert open_source(Subset(data, range(4)), SPEC, 4).label(3) == 3
    with pytest.raises(InputError, match="holds 4 names of classes"):
        open_source(data, SPEC, 5)
    source = open_source(data, SPEC, 5, SourceOptions(classes=tmp_path / "classes.txt"))
    assert [source.label(index) for index in range(4)] == [4, 3, 2, 1]
    assert source.image(2).shape == SHAPE
    data.targets = [label + 1 for label in data.targets]
    assert open_source(data, SPEC, 5).label(3) == 3
    data.target_transform = lambda label: label
    assert open_source(data, SPEC, 5).label(3) == 3


def test_photographs_are_resized_and_turned_grey_as_files_are() -> None:
    rng = np.random.default_rng(0)
    whole = [Image.fromarray(rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)) for _ in range(3)]
    source = open_source([(image, 0) for image in whole], InputSpec(1, 8, 8, resize=10), 2)
    assert isinstance(source, PhotographSource)
    expected = whole[1].convert("L").resize((15, 10), Image.Resampling.BILINEAR)
    assert np.array_equal(source.image(1)[0], np.asarray(expected.crop((4, 1, 12, 9))))
    assert source.whole(2).size == (30, 20)
    tensors = open_source(TENSORS, InputSpec(3, 8, 8, resize=8), 4)
    assert not isinstance(tensors, PhotographSource)
    assert tensors.image(0).shape == (3, 8, 8)


def test_without_labels_only_where_that_is_said() -> None:
    for data in (list(PIXELS), TensorDataset(TENSORS.tensors[0]), Pairs(), dicts("image", "label")):
        source = open_source(data, SPEC, 4, SourceOptions(unlabelled=True))
        assert {source.label(index) for index in range(COUNT)} == {-1}
        assert source.describe()["read_as"] == {"unlabelled": True}
        assert np.array_equal(source.image(1), PIXELS[1].transpose(2, 0, 1))
    with pytest.raises(InputError, match=r"has no label.*unlabelled=True"):
        open_source(list(PIXELS), SPEC, 4)


def test_a_description_is_of_the_content() -> None:
    def described(data: Any) -> dict[str, Any]:
        return open_source(data, SPEC, 4).describe()

    first = described(Pairs())
    assert (first["kind"], first["name"], first["images"]) == ("dataset", "Pairs", COUNT)
    assert described(Pairs()) == first
    assert described(Pairs().pairs())["digest"] == first["digest"]
    assert described(Subset(Pairs(), range(11)))["digest"] != first["digest"]
    assert described(Subset(Pairs(), range(11, -1, -1)))["digest"] != first["digest"]


class Flipping(Pairs):
    """Every other reading is mirrored, as augmentation does it by chance."""

    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        return (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), label) if (
            len(self.asked) % 2
        ) else (image, label)  # fmt: skip


class Streaming(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(Pairs().pairs())


class Broken(Pairs):
    """An image that cannot be read, by default the first."""

    def __init__(self, which: int = 0) -> None:
        super().__init__()
        self.which = which

    def __getitem__(self, index: int) -> Any:
        if index == self.which:
            raise KeyError("no such\nfile")
        return super().__getitem__(index)


def normalised(low: float) -> Any:
    return TensorDataset(TENSORS.tensors[0] / 255 * (1 - low) + low, TENSORS.tensors[1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Flipping(), r"another one each time it is read.*random \(augmentation\)"),
        (normalised(-2), r"in -1.94118..0.952941.*take Normalize out.*Sequential\(Norm"),
        (normalised(0.3), r"no k/255.*resize photographs before ToTensor"),
        (Streaming(), "one after the other.*list"),
        (iter(Pairs().pairs()), "one after the other"),
        (DataLoader(Pairs()), "gives batches.*give its .dataset"),
        ([], "holds no images"),
        (Broken(), "cannot be read .KeyError: 'no such"),
        ({"images": PIXELS}, "dict: is no source of images"),
        (object(), "object: is no source of images"),
        (torch.nn.Linear(1, 1), "Linear: is no source"),
        ([("a.png", 0)], "is a str: expected an image"),
        ([(PIXELS[0], "cat")], "label 'cat': expected a class index"),
        ([(PIXELS[0], 4)], "label 4: expected 0..3"),
        ([(PIXELS[0], np.eye(4)[0])], r"the label ndarray \[4\]: expected a class index"),
        ([(PIXELS[0].astype(np.int32), 0)], "is int32: expected uint8"),
        ([(PIXELS[0, :4], 0)], "expected that size; to resize and crop"),
        ([(PIXELS[0, :, :, 0], 0)], "6x6x1 .HxWxC., the model's input is 6x6x3"),
        ([(Image.new("RGB", (5, 6)), 0)], "expected 6x6, the model's input"),
        ([(Image.new("I;16", (6, 6)), 0)], "more than 8 bits"),
        ([(np.full((6, 6, 3), np.nan), 0)], "no finite number"),
    ],
)
def test_what_is_no_source_is_refused_in_one_line(data: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        open_source(data, SPEC, 4)
    assert "\n" not in str(caught.value)


def test_one_image_that_cannot_be_read_costs_itself_alone() -> None:
    source = open_source(Broken(3), SPEC, 4)
    with pytest.raises(InputError, match="image 3 cannot be read"):
        source.image(3)
    assert np.array_equal(source.image(4), PIXELS[4].transpose(2, 0, 1))


def test_options_of_files_are_refused() -> None:
    with pytest.raises(InputError, match="--arrays is for"):
        open_source(Pairs(), SPEC, 4, SourceOptions(arrays=("a", "b")))
    with pytest.raises(InputError, match="columns x,y are of items that are dicts"):
        open_source(Pairs(), SPEC, 4, SourceOptions(columns=("x", "y")))


def test_a_data_set_that_pickles_travels() -> None:
    source = open_source(Pairs(), SPEC, 4)
    assert isinstance(source, DatasetSource)
    source.check_travels()
    there = pickle.loads(pickle.dumps(source))
    assert np.array_equal(there.image(5), source.image(5))
    stuck = Pairs()
    stuck.form = "PIL"
    stuck.open = lambda: None  # type: ignore[attr-defined]
    source = open_source(stuck, SPEC, 4)
    assert isinstance(source, DatasetSource)
    with pytest.raises(InputError, match="cannot be sent to another process") as caught:
        source.check_travels()
    assert "\n" not in str(caught.value)
