import os
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.labelling.label_list import LabelList, is_list

FILES = {"x.jpg", "y.jpg", "my photo 1.jpg", "a,b.jpg", "sub/z.png", "q 7"}


def read(tmp_path: Path, text: str | bytes, **options: bool) -> LabelList:
    file = tmp_path / "list.txt"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return LabelList.read(file, {name: name for name in FILES}.get, **options)


def pairs(found: LabelList) -> list[tuple[str, str]]:
    return [(entry.name, entry.label) for entry in found.entries]


@pytest.mark.parametrize(
    "text",
    [
        "x.jpg 3\ny.jpg 0\n",
        "\ufeffx.jpg   3 whatever else\r\n\r\ny.jpg\t0\r\n",
        "# name class\nx.jpg 3\ny.jpg 0",
        "x.jpg\t3\tmore\ny.jpg\t0\n",
        "x.jpg,3,more\ny.jpg,0\n",
        "x.jpg;3\ny.jpg;0\n",
        '"x.jpg" 3\n"y.jpg" 0\n',
        '"x.jpg","3"\n"y.jpg","0"\n',
        "filename,label\nx.jpg,3\ny.jpg,0\n",
        "label,image\n3,x.jpg\n0,y.jpg\n",
        ",Image_Name,Class\n0,x.jpg,3\n1,y.jpg,0\n",
        "image\tsplit\ttarget\nx.jpg\tval\t3\ny.jpg\tval\t0\n",
        "filename label\nx.jpg 3\ny.jpg 0\n",
        "ImageId,PredictionString\nx.jpg,3 1 2 3 4 7 5 6 7 8\ny.jpg,0 1 1 2 2\n",
    ],
)
def test_lists_as_they_are_found(tmp_path: Path, text: str) -> None:
    assert pairs(read(tmp_path, text)) == [("x.jpg", "3"), ("y.jpg", "0")]


def test_lines_are_counted_with_the_empty_ones(tmp_path: Path) -> None:
    found = read(tmp_path, "\n# comment\nx.jpg 3\n\ny.jpg 0\n")
    assert [entry.line for entry in found.entries] == [3, 5]


def test_names_with_blanks_commas_and_folders(tmp_path: Path) -> None:
    blanks = read(tmp_path, "my photo 1.jpg 3 x\nsub/z.png 1\nx.jpg 2\n")
    assert pairs(blanks) == [("my photo 1.jpg", "3"), ("sub/z.png", "1"), ("x.jpg", "2")]
    assert pairs(read(tmp_path, "a,b.jpg 3\nx.jpg 2\n")) == [("a,b.jpg", "3"), ("x.jpg", "2")]
    assert pairs(read(tmp_path, '"a,b.jpg",3\n')) == [("a,b.jpg", "3")]
    assert pairs(read(tmp_path, '"q 7" 3\n')) == [("q 7", "3")]
    assert pairs(read(tmp_path, "x.jpg,great white shark\n")) == [("x.jpg", "great white shark")]
    assert pairs(read(tmp_path, "x.jpg\tgreat white shark\n")) == [("x.jpg", "great white shark")]


def test_names_need_not_be_unicode(tmp_path: Path) -> None:
    assert pairs(read(tmp_path, b"\xff.jpg 3\n")) == [(os.fsdecode(b"\xff.jpg"), "3")]


def test_columns_of_a_header_are_told(tmp_path: Path) -> None:
    assert read(tmp_path, "id,wnid\nx,n01440764\n").columns == " (columns id and wnid)"
    assert read(tmp_path, "x.jpg 3\n").columns == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no labels"),
        ("# nothing\n\n", "holds no labels"),
        ("490\n361\n171\n", "holds a number in each line and no names: .*sorted wnids"),
        ("0\n1\n-1\n", "holds a number in each line"),
        ("x.jpg\ny.jpg\n", r"line 1: has no class \('x.jpg'\)"),
        ("x.jpg 3\ny.jpg\n", "line 2: has no class"),
        ("x.jpg,3\ny.jpg,\n", "line 2: has no class"),
        ("filename,label\nx.jpg,3\ny.jpg\n", "line 3: has no class"),
        ("x.jpg," + "a" * 200_000, "line 1: has no class"),
        ("filename,label\n", "holds no labels after its header: expected lines"),
        ("3 x.jpg\n0 y.jpg\n", r"line 1: has the photograph x\.jpg where a class .*names first"),
        ("0,x.jpg,3\n1,y.jpg,0\n", r"line 1: has the photograph x\.jpg where a class was"),
        ("image,path,label\nx.jpg,y.jpg,3\n", "line 2: its columns image and path name different"),
        ("image,label,class\nx.jpg,3,3\ny.jpg,0,1\n", "line 3: its columns label and class are"),
        (b"\x89PNG\0\0", "is no text"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"list\.txt.*{message}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_lists_are_told_by_their_names() -> None:
    assert [is_list(Path(name)) for name in ("val.txt", "a.CSV", "x.tsv", "x.npz")] == [
        True, True, True, False,
    ]  # fmt: skip


def test_of_several_columns_the_one_that_says_it(tmp_path: Path) -> None:
    """A row's number is no name, and an index needs no reading of names."""
    text = "id,filename,class_name,label,target\n7,x.jpg,zebra,3,3\n8,y.jpg,ant,0,0\n"
    found = read(tmp_path, text)
    assert pairs(found) == [("x.jpg", "3"), ("y.jpg", "0")]
    assert found.columns == " (columns filename and label)"
    assert pairs(read(tmp_path, text, by_name=True)) == [("x.jpg", "zebra"), ("y.jpg", "ant")]
    assert pairs(read(tmp_path, "id,image,class\nx.jpg,3,1\n")) == [("x.jpg", "1")]
