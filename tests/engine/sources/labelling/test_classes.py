from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.labelling.classes import classes_of
from smoothcert.engine.sources.labelling.ilsvrc2012 import WNIDS


def test_as_many_names_as_classes_are_their_places() -> None:
    found = classes_of({"b", "a", "C"}, 3, None, "x", "class folders")
    assert dict(found.index) == {"C": 0, "a": 1, "b": 2}
    assert (found.classes, found.read_as, found.said) == (3, {}, ())
    assert classes_of({"b"}, None, None, "x", "class folders").classes == 1


def test_a_subset_of_ilsvrc_for_a_model_of_all_of_it() -> None:
    found = classes_of({"n02979186", "n01440764"}, 1000, None, "x", "class folders")
    assert dict(found.index) == {"n01440764": 0, "n02979186": 482}
    assert found.classes == 1000
    assert found.read_as == {"classes": "ILSVRC-2012"}
    assert found.said == (
        "labels of 2 class folders by ILSVRC-2012's list of wnids: n01440764 is 0, n02979186 is "
        "482",
    )


def test_all_of_ilsvrc_and_a_model_of_the_subset_need_no_list() -> None:
    whole = classes_of(set(WNIDS), 1000, None, "x", "class folders")
    assert [whole.index[wnid] for wnid in WNIDS] == list(range(1000))
    assert (whole.read_as, whole.said) == ({}, ())
    assert dict(classes_of(set(WNIDS[7:9]), 2, None, "x", "f").index) == dict(
        zip(WNIDS[7:9], (0, 1), strict=True)
    )


def test_a_list_decides(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("b\na\nc\n")
    found = classes_of({"a", "b"}, 3, file, "x", "class folders")
    assert dict(found.index) == {"a": 1, "b": 0}
    assert found.classes == 3
    assert found.read_as["classes"]["name"] == "classes.txt"
    assert len(found.read_as["classes"]["sha256"]) == 64
    assert found.said == ("classes by classes.txt: a is 1, b is 0",)


@pytest.mark.parametrize(
    ("names", "num_classes", "message"),
    [
        ({"a", "b"}, 3, r"holds 2 class folders \(a, b\), the model has 3 .*--classes FILE"),
        ({"a", "b"}, 1, r"holds 2 class folders \(a, b\)"),
        ({"n01440764", "cat"}, 1000, "cat is in no list, the others are wnids"),
        ({"n01440764", "n00000001"}, 1000, "n00000001 is in no list"),
        ({*WNIDS[1:], "extra"}, 1000, "holds 1000 class folders, .*: extra is in no list"),
        ({*WNIDS, "extra"}, 1000, "holds 1001 class folders, .*: extra is in no list"),
        ({str(n) for n in range(99)}, 1000, "holds 99 class folders, the model has 1000"),
    ],
)
def test_names_that_nothing_explains(names: set[str], num_classes: int, message: str) -> None:
    with pytest.raises(InputError, match=f"x: .*{message}") as caught:
        classes_of(names, num_classes, None, "x: ", "class folders")
    assert "\n" not in str(caught.value)


def test_names_that_a_list_does_not_have(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("a one\nb two\n")
    with pytest.raises(InputError, match=r"x: d is not among the 2 classes of .*classes\.txt"):
        classes_of({"a", "d"}, 2, file, "x", "class folders")
    with pytest.raises(InputError, match="x: a, a one are one class"):
        classes_of({"a", "a one"}, 2, file, "x", "class folders")
    with pytest.raises(InputError, match="names 2 classes, the model has 5"):
        classes_of({"a"}, 5, file, "x", "class folders")


def test_a_thousand_other_wnids_are_sorted() -> None:
    """Of a model of other classes than ILSVRC's."""
    others = {*WNIDS[1:], "n00000001"}
    assert classes_of(others, 1000, None, "x", "class folders").index["n00000001"] == 0


def test_numbers_are_no_names_where_text_sorts_them_elsewhere() -> None:
    names = {f"{n}.0" for n in range(11)}
    with pytest.raises(InputError, match=r"x: has the class 10\.0, which is class 2 by its place"):
        classes_of(names, 11, None, "x", "names of classes")
    with pytest.raises(InputError, match=r"has the class 1, which is class 0"):
        classes_of({"1", "cat"}, 2, None, "x", "names of classes")
    fitting = classes_of({"0.0", "1.0", "A"}, 3, None, "x", "names of classes")
    assert dict(fitting.index) == {"0.0": 0, "1.0": 1, "A": 2}
    folders = classes_of(set(map(str, range(11))), 11, None, "x", "class folders")
    assert folders.index["10"] == 2
