import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.folder import FolderSource

SPEC = InputSpec(3, 4, 4)


def paint(file: Path, grey: int) -> None:
    """Save a one-colour image whose value identifies the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (grey, grey, grey)).save(file, "PNG")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "val"
    # In torchvision's order: capital letters sort first, nested folders after their parent's files.
    for grey, name in enumerate(
        ["A/b.PNG", "A/c.JPEG", "A/a/z.jpg", "a/10.png", "a/9.png", "z/x.webp"]
    ):
        paint(root / name, grey)
    (root / "empty").mkdir()
    (root / "A" / "notes.txt").write_text("not an image")
    (root / "synsets.txt").write_text("not a class")
    paint(root / "stray.png", 99)
    return root


def test_order_and_labels_are_those_of_imagefolder(tree: Path) -> None:
    source = FolderSource(tree, "val", SPEC, 4)
    assert len(source) == 6
    # Sorted folders: A, a, empty, z. Within A: b.PNG, c.JPEG (its own files), then A/a/z.jpg.
    assert [source.label(i) for i in range(6)] == [0, 0, 0, 1, 1, 3]
    assert [int(source.image(i)[0, 0, 0]) for i in range(6)] == [0, 1, 2, 3, 4, 5]
    assert source.image(0).shape == (3, 4, 4)


def test_real_photographs_keep_their_label(
    photographs: list[tuple[Path, int]], tmp_path: Path
) -> None:
    root = tmp_path / "val"
    for class_index in range(1000):
        (root / f"n{class_index:08d}").mkdir(parents=True)
    for path, label in photographs:
        shutil.copy(path, root / f"n{label:08d}" / f"{path.stem}.JPEG")
    spec = InputSpec(3, 224, 224, resize=256)
    source = FolderSource(root, "val", spec, 1000)
    by_label = sorted(photographs, key=lambda item: (item[1], item[0].name))
    assert [source.label(i) for i in range(20)] == [label for _, label in by_label]
    for index, (path, _) in enumerate(by_label):
        np.testing.assert_array_equal(
            source.image(index), photograph.decode(path.read_bytes(), "", spec)
        )


@pytest.mark.parametrize("num_classes", [3, 5, 1000])
def test_all_class_folders_must_be_there(tree: Path, num_classes: int) -> None:
    with pytest.raises(
        InputError,
        match=rf"4 class folders \(A, a, empty, z\), the model has {num_classes} .*sorted order",
    ):
        FolderSource(tree, "val", SPEC, num_classes)


def test_hidden_folders_and_files_are_no_classes_and_no_images(tree: Path) -> None:
    before = FolderSource(tree, "val", SPEC, 4)
    paint(tree / ".ipynb_checkpoints" / "x.png", 50)
    paint(tree / "__MACOSX" / "A" / "x.png", 51)
    paint(tree / "A" / "._b.PNG", 52)
    paint(tree / "A" / ".ipynb_checkpoints" / "b-checkpoint.PNG", 53)
    after = FolderSource(tree, "val", SPEC, 4)
    assert after.describe() == before.describe()
    assert (before.said, after.said) == (
        (),
        (
            "left out the folders .ipynb_checkpoints (2 times), __MACOSX and 1 hidden file: no "
            "classes or photographs",
        ),
    )


def test_a_folder_too_many_is_named(tree: Path) -> None:
    (tree / "void").mkdir()
    with pytest.raises(InputError, match=r"\(A, a, empty, void, z\), the model has 4"):
        FolderSource(tree, "val", SPEC, 4)
    with pytest.raises(
        InputError, match=r"model has 3 classes.*\(without photographs: empty, void"
    ):
        FolderSource(tree, "val", SPEC, 3)


def test_a_subset_of_ilsvrc(tmp_path: Path) -> None:
    root = tmp_path / "imagenette"
    for grey, wnid in enumerate(("n02979186", "n01440764")):
        paint(root / wnid / "x.JPEG", grey)
    source = FolderSource(root, "imagenette", SPEC, 1000)
    assert [(int(source.image(i)[0, 0, 0]), source.label(i)) for i in (0, 1)] == [(1, 0), (0, 482)]
    described = source.describe()
    assert (described["classes"], described["read_as"]) == (1000, {"classes": "ILSVRC-2012"})
    alone = FolderSource(root, "imagenette", SPEC, 2)  # of a model of these two
    assert [alone.label(i) for i in (0, 1)] == [0, 1]
    assert "read_as" not in alone.describe()
    assert alone.describe()["digest"] != described["digest"]
    paint(root / "n00000001" / "x.JPEG", 3)
    with pytest.raises(InputError, match="n00000001 is in no list"):
        FolderSource(root, "imagenette", SPEC, 1000)


def test_a_list_of_classes(tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("z\nA\nother\nempty\na\n")
    source = FolderSource(tree, "val", SPEC, 5, file)
    assert [source.label(i) for i in range(6)] == [1, 1, 1, 4, 4, 0]
    assert [int(source.image(i)[0, 0, 0]) for i in range(6)] == [0, 1, 2, 3, 4, 5]
    first = source.describe()
    assert first["read_as"]["classes"]["name"] == "classes.txt"
    file.write_text("A\nz\nother\nempty\na\n")
    assert FolderSource(tree, "val", SPEC, 5, file).describe()["digest"] != first["digest"]
    file.write_text("A\nz\nother\nx\na\n")
    with pytest.raises(InputError, match="empty is not among the 5 classes of"):
        FolderSource(tree, "val", SPEC, 5, file)


def test_splits_are_no_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        paint(tmp_path / "data" / split / "a" / "x.png", 0)
    with pytest.raises(InputError, match=r"holds the splits train, val, not classes.*data/val,"):
        FolderSource(tmp_path / "data", "data", SPEC, 2)
    paint(tmp_path / "data" / "bus" / "x.png", 0)  # then train is a vehicle
    assert len(FolderSource(tmp_path / "data", "data", SPEC, 3)) == 3


def test_folders_named_by_numbers_are_told(tmp_path: Path) -> None:
    for number in range(11):
        paint(tmp_path / "x" / str(number) / "x.png", number)
    source = FolderSource(tmp_path / "x", "x", SPEC, 11)
    assert source.label(2) == 2  # folder 10
    assert int(source.image(2)[0, 0, 0]) == 10
    assert source.said[0].startswith("folder 10 is class 2, by its place in sorted order")
    assert "read_as" not in source.describe()


def test_pipes_are_not_read(tree: Path) -> None:
    os.mkfifo(tree / "a" / "pipe.png")
    source = FolderSource(tree, "val", SPEC, 4)
    with pytest.raises(InputError, match=r"pipe\.png: cannot be read \(it is a pipe\)"):
        source.image(5)


def test_any_number_of_folders_for_an_unknown_model(tree: Path) -> None:
    assert FolderSource(tree, "val", SPEC, None).describe()["classes"] == 4


def test_a_tree_without_photographs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").touch()
    with pytest.raises(InputError, match="holds no photographs in its 1 folders"):
        FolderSource(tmp_path, "x", SPEC, 1)


def test_opening_decodes_nothing(tree: Path) -> None:
    (tree / "a" / "10.png").write_bytes(b"")
    source = FolderSource(tree, "val", SPEC, 4)
    assert source.label(3) == 1
    with pytest.raises(InputError, match=r"a/10\.png: cannot be decoded .*0 bytes"):
        source.image(3)


def test_the_description_moves_with_the_folder(tree: Path, tmp_path: Path) -> None:
    first = FolderSource(tree, "val", SPEC, 4).describe()
    assert {k: first[k] for k in ("kind", "name", "images", "classes")} == {
        "kind": "folder", "name": "val", "images": 6, "classes": 4,
    }  # fmt: skip
    assert json.loads(json.dumps(first)) == first
    moved = tmp_path / "elsewhere" / "val"
    shutil.copytree(tree, moved)
    assert FolderSource(moved, "val", SPEC, 4).describe() == first


@pytest.mark.parametrize("change", ["rename", "grow", "remove", "rename an empty class"])
def test_the_digest_tells_another_tree(tree: Path, change: str) -> None:
    before = FolderSource(tree, "val", SPEC, 4).describe()["digest"]
    file = tree / "a" / "9.png"
    if change == "rename":
        file.rename(tree / "a" / "8.png")
    elif change == "grow":
        file.write_bytes(file.read_bytes() + b"\0")
    elif change == "remove":
        file.unlink()
    else:
        (tree / "empty").rename(tree / "void")
    assert FolderSource(tree, "val", SPEC, 4).describe()["digest"] != before


def test_a_dangling_link_is_named(tree: Path) -> None:
    (tree / "z" / "y.png").symlink_to(tree / "gone.png")
    source = FolderSource(tree, "val", SPEC, 4)
    with pytest.raises(InputError, match=r"z/y\.png: cannot be read"):
        source.describe()
    with pytest.raises(InputError, match=r"z/y\.png is a link to a file that is not there"):
        source.image(6)


def test_nested_folders_are_sorted(tmp_path: Path) -> None:
    names = [f"{number * 7 % 40:02}" for number in range(40)]
    for name in names:
        paint(tmp_path / "class" / name / "x.png", int(name))
    source = FolderSource(tmp_path, "x", SPEC, 1)
    assert [int(source.image(i)[0, 0, 0]) for i in range(40)] == list(range(40))


def test_links_to_folders_are_followed(tree: Path, tmp_path: Path) -> None:
    paint(tmp_path / "other" / "p.png", 77)
    (tree / "zz").symlink_to(tmp_path / "other")
    (tree / "z" / "more").symlink_to(tmp_path / "other")
    source = FolderSource(tree, "val", SPEC, 5)
    assert [source.label(i) for i in (6, 7)] == [3, 4]
    assert [int(source.image(i)[0, 0, 0]) for i in (6, 7)] == [77, 77]


def test_models_of_other_channels_take_no_photographs(tree: Path) -> None:
    with pytest.raises(InputError, match="has 4 channels"):
        FolderSource(tree, "val", InputSpec(4, 4, 4), 4)
