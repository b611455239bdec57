import json
import os
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.labelling.class_list import ClassList

NAMES = ("n01440764", "n01443537", "n01484850")


def listed(tmp_path: Path, content: str | bytes) -> ClassList:
    file = tmp_path / "classes.txt"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return ClassList(file)


@pytest.mark.parametrize(
    "content",
    [
        "n01440764\nn01443537\nn01484850\n",
        "\ufeffn01440764\r\nn01443537\r\nn01484850\r\n\r\n",
        "n01440764 tench, Tinca tinca\nn01443537 goldfish\nn01484850 great white shark, whale\n",
        "n01440764,tench\nn01443537,goldfish\nn01484850,great white shark\n",
        "n01440764\ttench\nn01443537\tgoldfish\nn01484850\tgreat white shark\n",
        "0 n01440764\n1 n01443537\n2 n01484850\n",
        "1: n01440764\n2: n01443537\n3: n01484850\n",
        "0,n01440764,tench\n1,n01443537,goldfish\n2,n01484850,shark\n",
        json.dumps(NAMES),
        json.dumps([[name, "x"] for name in NAMES]),
        json.dumps({str(k): [name, "some fish"] for k, name in enumerate(NAMES)}),
        json.dumps({str(k): name for k, name in enumerate(NAMES)}),
        json.dumps({name: k for k, name in reversed(list(enumerate(NAMES)))}),
        json.dumps({"model_type": "vit", "id2label": {str(k): n for k, n in enumerate(NAMES)}}),
        json.dumps({"label2id": {n: k for k, n in enumerate(NAMES)}}),
    ],
)
def test_lists_as_they_are_found(tmp_path: Path, content: str) -> None:
    found = listed(tmp_path, content)
    assert len(found) == 3
    assert [found.index(name) for name in NAMES] == [0, 1, 2]
    assert found.index("n02979186") is None
    found.check_size(3)
    found.check_size(None)


def test_names_of_several_words(tmp_path: Path) -> None:
    """A line is its whole text before it is its first word."""
    found = listed(tmp_path, "great white shark\ngreat grey owl\ngreat\nhen, biddy\n")
    names = ("great white shark", "great grey owl", "great", "hen", "hen, biddy")
    assert [found.index(name) for name in names] == [0, 1, 2, 3, 3]
    with pytest.raises(InputError, match="names more than one class tiger"):
        listed(tmp_path, "tiger cat\ntiger shark\n").index("tiger")


def test_lines_of_blanks_that_are_no_spaces_are_names(tmp_path: Path) -> None:
    found = listed(tmp_path, "0 a\n1\x1f,\n2 b\n")
    assert [found.index(name) for name in ("a", "\x1f,", "b")] == [0, 1, 2]


def test_a_name_of_two_classes_is_refused_where_it_is_used(tmp_path: Path) -> None:
    """ImageNet has two cranes; their wnids are no trouble."""
    found = listed(tmp_path, '{"0": ["n02012849", "crane"], "1": ["n03126707", "crane"]}')
    assert [found.index(name) for name in ("n02012849", "n03126707")] == [0, 1]
    with pytest.raises(InputError, match="names more than one class crane"):
        found.index("crane")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a\n\nb\n", "line 2: is empty"),
        (b"a\0b", "is no text"),
        ("a\nb".encode("utf-16"), "is no text"),
        ('{"0": "a", "2": "b"}', "its 2 JSON keys are not the indices"),
        ('{"0": "a"', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "holds no list of classes"),
        ("{}", "its 0 JSON keys"),
        ('{"0": 3.5}', "has the class 3.5"),
        ('["a", null]', "has the class None"),
        ('["a", [1]]', r"has the class \[1\]"),
        ('["a", ""]', "has the class "),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"classes\.txt.*{message}") as caught:
        listed(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_the_models_number_of_classes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names 2 classes, the model has 3"):
        listed(tmp_path, "a\nb\n").check_size(3)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone does not exist"):
        ClassList(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: cannot be read \(it is a pipe\)"):
        ClassList(tmp_path / "pipe")


def test_names_need_not_be_unicode(tmp_path: Path) -> None:
    found = listed(tmp_path, b"caf\xe9\nb\n")
    assert found.index(os.fsdecode(b"caf\xe9")) == 0


@pytest.mark.parametrize(
    "content",
    [
        "1 dog\n0 cat\n2 emu\n",
        "2,dog\n1,cat\n3,emu\n",
        "dog 1\ncat 0\nemu 2\n",
        "n1 2 dog\nn2 1 cat\nn3 3 emu\n",
        "dog, large, 1\ncat, small, 0\nemu, tall, 2\n",
    ],
)
def test_lines_that_number_the_classes_otherwise_are_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"line 1: is numbered [12], and a line's place .*sort"):
        listed(tmp_path, content)


def test_other_numbers_are_no_order(tmp_path: Path) -> None:
    assert listed(tmp_path, "1\n0\n2\n").index("1") == 0
    assert listed(tmp_path, "dog 7\ncat 3\n").index("dog") == 0
    assert listed(tmp_path, "dog 1\ncat 2\n").index("cat") == 1
