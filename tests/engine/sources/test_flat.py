import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import ImageSource, open_source
from smoothcert.engine.sources.base import said_of
from smoothcert.engine.sources.options import SourceOptions

SPEC = InputSpec(3, 4, 4)
NAMES = [f"ILSVRC2012_val_{number:08d}" for number in range(1, 5)]


def paint(file: Path, grey: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (grey, grey, grey)).save(file, "PNG")


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Four photographs, whose grey says which they are."""
    for grey, name in enumerate(NAMES):
        paint(tmp_path / "val" / f"{name}.JPEG", grey)
    return tmp_path / "val"


def opened(root: Path, text: str, num_classes: int | None = 5, **options: Any) -> ImageSource:
    file = root.parent / "list.txt"
    file.write_text(text, encoding="utf-8")
    return open_source(root, SPEC, num_classes, SourceOptions(labels=file, **options))


def greys(source: ImageSource) -> list[tuple[int, int]]:
    """What each image is, and its label."""
    return [(int(source.image(i)[0, 0, 0]), source.label(i)) for i in range(len(source))]


def test_a_list_gives_labels_and_order(flat: Path) -> None:
    source = opened(flat, f"{NAMES[2]}.JPEG 4\n{NAMES[0]}.JPEG 0\n{NAMES[3]}.JPEG 1\n")
    assert greys(source) == [(2, 4), (0, 0), (3, 1)]
    assert said_of(source) == (
        "3 labels by list.txt",
        "left out 1 photograph that it does not name",
    )
    described = source.describe()
    assert described["kind"] == "flat"
    assert described["classes"] is None
    assert described["read_as"]["labels"]["name"] == "list.txt"
    assert json.loads(json.dumps(described)) == described
    assert pickle.loads(pickle.dumps(source)).describe() == described


def test_kaggles_solution(flat: Path) -> None:
    text = (
        f"ImageId,PredictionString\n{NAMES[0]},n01440764 1 2 3 4\n"
        f"{NAMES[1]},n02979186 1 2 3 4 n01440764 5 6 7 8 \n"
    )
    source = opened(flat, text, 1000)
    assert greys(source) == [(0, 0), (1, 482)]
    assert said_of(source) == (
        "2 labels by list.txt (columns ImageId and PredictionString)",
        "labels of 2 names of classes by ILSVRC-2012's list of wnids: n01440764 is 0, n02979186 is "
        "482",
        "left out 2 photographs that it does not name",
    )
    assert source.describe()["read_as"]["classes"] == "ILSVRC-2012"


def test_names_of_classes(flat: Path, tmp_path: Path) -> None:
    text = "".join(f"{name}.JPEG\t{c}\n" for name, c in zip(NAMES, "dcba", strict=True))
    source = opened(flat, text, 4)
    assert [source.label(i) for i in range(4)] == [3, 2, 1, 0]
    assert source.describe()["read_as"]["classes"] == "sorted names"
    with pytest.raises(InputError, match=r"list\.txt: holds 4 names of classes .* --classes FILE"):
        opened(flat, text, 5)
    (tmp_path / "classes.txt").write_text("b\na\nd\nc\ne\n")
    source = opened(flat, text, 5, classes=tmp_path / "classes.txt")
    assert [source.label(i) for i in range(4)] == [2, 3, 0, 1]
    # With a list of classes, numbers are names too.
    (tmp_path / "classes.txt").write_text("2\n1\n0\n")
    source = opened(flat, f"{NAMES[0]} 2\n", 3, classes=tmp_path / "classes.txt")
    assert source.label(0) == 0


@pytest.mark.parametrize(
    "name", ["{0}.JPEG", "{0}", "./{0}.JPEG", "val/{0}.JPEG", "val\\{0}.JPEG", "val/{0}"]
)
def test_how_a_list_may_call_a_photograph(flat: Path, name: str) -> None:
    assert greys(opened(flat, f"{name.format(NAMES[1])} 3\n")) == [(1, 3)]


def test_paths_below_the_folder(flat: Path) -> None:
    paint(flat / "a b" / "x 1.png", 9)
    paint(flat / "c" / "x 1.png", 8)
    source = opened(flat, "c/x 1.png 1\na b/x 1.png 2\n")
    assert greys(source) == [(8, 1), (9, 2)]


def test_bare_names_in_subfolders(tmp_path: Path) -> None:
    """As Tiny ImageNet has them: val/images, and a list of what is in there."""
    for grey, name in enumerate(("images/val_0.JPEG", "images/val_1.JPEG", "other/val_1.JPEG")):
        paint(tmp_path / "val" / name, grey)
    text = "val_0.JPEG\tn02979186\t0\t32\t44\t62\n"
    assert greys(opened(tmp_path / "val", text, 1000)) == [(0, 482)]
    for name in ("val_1.JPEG", "elsewhere/val_0.JPEG"):
        with pytest.raises(InputError, match=r"line 1: names .*, which is no photograph in"):
            opened(tmp_path / "val", f"{name}\t3\n", 1000)


def test_json(flat: Path) -> None:
    pairs = [[f"{NAMES[2]}.JPEG", 4], [NAMES[0], 1]]
    assert greys(opened(flat, json.dumps({"labels": pairs}))) == [(2, 4), (0, 1)]


def test_names_need_not_be_unicode(tmp_path: Path) -> None:
    root = tmp_path / "val"
    root.mkdir()
    paint(root / "x.png", 7)
    os.rename(root / "x.png", os.fsencode(root) + b"/\xff.png")  # noqa: PTH104
    (tmp_path / "list.txt").write_bytes(b"\xff.png 3\n")
    source = open_source(root, SPEC, 5, SourceOptions(labels=tmp_path / "list.txt"))
    assert greys(source) == [(7, 3)]
    assert len(source.describe()["digest"]) == 64
    (root / os.fsdecode(b"\xff.png")).write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"udcff\.png: cannot be decoded") as caught:
        source.image(0)
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{0}.JPEG 0\nabsent.JPEG 1\n", "line 2: names absent.JPEG, which is no photograph in "),
        ("{0}.png 0\n", r"line 1: names .*\(there is ILSVRC2012_val_00000001\.JPEG\)"),
        ("../val/{0}.JPEG 0\n", r"line 1: names \.\./val/"),
        ("{0}.JPEG 0\n\n{0} 1\n", r"line 3: names {0}\.JPEG again, after line 1"),
        ("{0}.JPEG 5\n", r"line 1 has label 5: expected 0\.\.4.*count from 1"),
        ("{0}.JPEG -1\n", r"line 1 has label -1: expected 0\.\.4.*--unlabelled"),
        ("0 {0}.JPEG\n", r"line 1: has the photograph {0}\.JPEG where a class was"),
        ("1\n2\n3\n4\n", "holds a number in each line and no names"),
        ("{0}.JPEG\n", "line 1: has no class"),
    ],
)
def test_lines_that_do_not_fit_are_named(flat: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"list\.txt.*{message.format(NAMES[0])}") as caught:
        opened(flat, text.format(NAMES[0]))
    assert "\n" not in str(caught.value)


def test_two_files_of_one_stem_are_no_stem(flat: Path) -> None:
    paint(flat / f"{NAMES[0]}.png", 9)
    with pytest.raises(InputError, match=r"there is \S+\.JPEG, \S+\.png"):
        opened(flat, f"{NAMES[0]} 0\n")


def test_without_a_list_a_flat_folder_is_refused(flat: Path) -> None:
    with pytest.raises(InputError, match=r"4 photographs and no class .*--labels FILE, or --unl"):
        open_source(flat, SPEC, 5)
    (flat / "val.txt").touch()
    with pytest.raises(InputError, match=r"as --labels \S+/val/val\.txt, or --unlabelled"):
        open_source(flat, SPEC, 5)


def test_the_digest_is_of_list_and_files(flat: Path) -> None:
    text = "".join(f"{name}.JPEG 1\n" for name in NAMES)
    first = opened(flat, text).describe()["digest"]
    assert opened(flat, text).describe()["digest"] == first
    for other in (text + "\n", text.replace("1\n", "2\n", 1)):
        assert opened(flat, other).describe()["digest"] != first
    (flat / f"{NAMES[0]}.JPEG").write_bytes(b"longer" * 100)
    assert opened(flat, text).describe()["digest"] != first


def test_unlabelled_photographs(flat: Path) -> None:
    paint(flat / "sub" / "x.png", 9)
    paint(flat / ".cache" / "x.png", 9)
    options = SourceOptions(unlabelled=True)
    source = open_source(flat, SPEC, 5, options)
    assert greys(source) == [(0, -1), (1, -1), (2, -1), (3, -1), (9, -1)]
    assert said_of(source) == ("left out .cache: no classes or photographs",)
    assert source.describe()["read_as"] == {"unlabelled": True}
    assert source.describe()["classes"] is None
    classes = open_source(flat.parent, SPEC, 5, options)  # whatever the folders are called
    assert len(classes) == 5


def test_no_photographs(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match="holds no photographs"):
        opened(tmp_path / "x", "a 0\n")
    with pytest.raises(InputError, match="holds 0 files"):
        open_source(tmp_path / "x", SPEC, 5, SourceOptions(unlabelled=True))


def test_a_name_that_may_be_two_photographs_is_none(flat: Path) -> None:
    paint(flat / "a.jpg.png", 7)
    paint(flat / "sub" / "a.jpg", 8)
    with pytest.raises(InputError, match=r"names a\.jpg, which is no .*there is sub/a\.jpg"):
        opened(flat, "a.jpg 1\n")


@pytest.mark.parametrize("name", ["\u00e9.png", "E\u0301.JPG"])
def test_names_that_look_alike_are_shown(flat: Path, name: str) -> None:
    """Of the same accents in another encoding, as file systems of macOS have them, or in capitals:
    they are other names, and no one's guess."""
    paint(flat / "e\u0301.png", 7)
    with pytest.raises(InputError, match=r"is no photograph in .*there is e\u0301"):
        opened(flat, f"{name} 1\n")


def test_floats_are_no_names(flat: Path) -> None:
    """As pandas writes integers beside an absent one."""
    lines = "".join(
        f"{name},{label}\n"
        for name, label in zip(NAMES, ("0.0", "1.0", "10.0", "2.0"), strict=True)
    )
    with pytest.raises(InputError, match=r"list\.txt: has the class 10\.0"):
        opened(flat, f"filename,label\n{lines}", 4)
