import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.archives.webdataset import WebdatasetSource
from smoothcert.engine.sources.options import SourceOptions

SPEC = InputSpec(3, 4, 4)


def png(grey: int) -> bytes:
    """A one-colour image whose value identifies it."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (grey, grey, grey)).save(stream, "PNG")
    return stream.getvalue()


def pack(file: Path, content: Sequence[tuple[str, bytes]]) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, data in content:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return file


def opened(file: Path, content: Sequence[tuple[str, bytes]]) -> WebdatasetSource:
    return WebdatasetSource([pack(file, content)], file.name, SPEC, 10)


def test_labels_in_cls_and_json(tmp_path: Path) -> None:
    source = opened(
        tmp_path / "x.tar",
        [
            ("b.jpg", png(1)), ("b.cls", b"7\n"),
            ("a.json", b'{"label": 3, "cls": 4}'), ("a.PNG", png(2)),
            ("train/a.webp", png(3)), ("train/a.json", b'{"cls": 0}'),
            ("c.cls", b"9"), ("c.json", b'{"label": 1}'), ("c.ppm", png(4)), ("c.txt", b"note"),
        ],
    )  # fmt: skip
    assert [source.label(i) for i in range(len(source))] == [7, 3, 0, 9]
    assert [int(source.image(i)[0, 0, 0]) for i in (3, 1, 0, 2)] == [4, 2, 1, 3]


def test_a_key_ends_at_the_first_dot_of_the_file_name(tmp_path: Path) -> None:
    source = opened(
        tmp_path / "x.tar",
        [
            ("v1.2/n01.jpg", png(1)), ("v1.2/n01.cls", b"1"), ("v1.2/n01.seg.png", png(9)),
            ("v1.2/n02.jpg", png(2)), ("v1.2/n02.cls", b"2"),
            ("README", b"no extension"), ("v1.2/.hidden", b"no key"), ("._n01.jpg", b"no key"),
        ],
    )  # fmt: skip
    assert [int(source.image(i)[0, 0, 0]) for i in range(len(source))] == [1, 2]


def test_members_of_a_sample_need_not_be_neighbours(tmp_path: Path) -> None:
    content = [("a.jpg", png(1)), ("b.jpg", png(2)), ("b.cls", b"2"), ("a.cls", b"1")]
    source = opened(tmp_path / "x.tar", content)
    assert [source.label(i) for i in range(2)] == [1, 2]


def test_real_photographs_over_two_archives(
    photographs: list[tuple[Path, int]], tmp_path: Path
) -> None:
    files = []
    for part in range(2):
        content = []
        for path, label in photographs[part * 10 : part * 10 + 10]:
            content.append((f"{path.stem}.jpg", path.read_bytes()))
            content.append((f"{path.stem}.cls", str(label).encode()))
        files.append(pack(tmp_path / f"val-{part}.tar", content))
    spec = InputSpec(3, 224, 224, resize=256)
    source = WebdatasetSource(files, "val-{0..1}.tar", spec, 1000)
    assert [source.label(i) for i in range(20)] == [label for _, label in photographs]
    for index in (19, 10, 9, 0):
        expected = photograph.decode(photographs[index][0].read_bytes(), "", spec)
        np.testing.assert_array_equal(source.image(index), expected)


def test_labels_in_other_members(tmp_path: Path) -> None:
    content = [
        ("a.jpg", png(1)), ("a.label", b"3"), ("b.jpg", png(2)), ("b.cls", b"4"), ("b.label", b"4"),
        ("c.jpg", png(3)), ("c.json", b'{"class": 5, "label": "x"}'),
        ("d.jpg", png(4)), ("d.json", b'{"label": "6"}'), ("d.txt", b"a caption"),
    ]  # fmt: skip
    source = opened(tmp_path / "x.tar", content)
    assert [source.label(i) for i in range(4)] == [3, 4, 5, 6]
    assert source.said == ()
    assert "read_as" not in source.describe()


def test_names_of_classes(tmp_path: Path) -> None:
    content = [
        ("a.jpg", png(1)), ("a.cls", b"n02979186\n"),
        ("b.jpg", png(2)), ("b.json", b'{"cls": "n01440764"}'),
    ]  # fmt: skip
    file = pack(tmp_path / "x.tar", content)
    source = WebdatasetSource([file], "x.tar", SPEC, 1000)
    assert [source.label(i) for i in range(2)] == [482, 0]
    assert source.describe()["read_as"] == {"classes": "ILSVRC-2012"}
    assert source.said[0].startswith("labels of 2 names of classes by ILSVRC-2012's list")
    two = WebdatasetSource([file], "x.tar", SPEC, 2)
    assert [two.label(i) for i in range(2)] == [1, 0]
    assert two.describe()["read_as"] == {"classes": "sorted names"}
    classes = tmp_path / "classes.txt"
    classes.write_text("x\nn01440764\nn02979186\n")
    own = WebdatasetSource([file], "x.tar", SPEC, 3, SourceOptions(classes=classes))
    assert [own.label(i) for i in range(2)] == [2, 1]
    assert own.describe()["digest"] != two.describe()["digest"]


def test_without_labels(tmp_path: Path) -> None:
    file = pack(tmp_path / "x.tar", [("a.jpg", png(1)), ("b.jpg", png(2)), ("b.cls", b"what?")])
    source = WebdatasetSource([file], "x.tar", SPEC, 5, SourceOptions(unlabelled=True))
    assert [source.label(i) for i in range(2)] == [-1, -1]
    assert source.describe()["read_as"] == {"unlabelled": True}


def test_names_with_control_characters_stay_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sample a.nb: its \.cls") as caught:
        opened(tmp_path / "x.tar", [("a\nb.jpg", png(1)), ("a\nb.cls", b"\xff")])
    assert "\n" not in str(caught.value)


SAMPLE = [("a.jpg", png(1)), ("a.cls", b"1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no samples"),
        ([("README", b"")], "holds no samples"),
        ([*SAMPLE, ("b.cls", b"1")], r"sample b has 0 photographs \(its members: cls\)"),
        ([*SAMPLE, ("b.jpg", png(1))], r"sample b has no label \(its members: jpg\)"),
        ([*SAMPLE, ("a.png", png(1))], r"sample a has 2 photographs"),
        ([*SAMPLE, ("a.jpg", png(1))], r"sample a has two members \.jpg"),
        ([*SAMPLE, ("a.JPG", png(1))], r"sample a has two members \.JPG"),
        ([("a.jpg", png(1)), ("a.cls", b"0_1")], r"sample a and others: holds 1 .* \(0_1\), .* 10"),
        ([("a.jpg", png(1)), ("a.cls", b"cat")], r"sample a and others: holds 1 .* \(cat\), .* 10"),
        ([("a.jpg", png(1)), ("a.cls", b"\xff\x00")], r"sample a: its \.cls holds b'.xff.x00'"),
        ([("a.jpg", png(1)), ("a.cls", b"a\nb")], r"sample a: its \.cls holds b'a.nb'"),
        ([("a.jpg", png(1)), ("a.cls", b"")], r"sample a: its \.cls holds b''"),
        ([("a.jpg", png(1)), ("a.cls", b"1.0")], r"sample a and others: holds 1 names of classes"),
        ([("a.jpg", png(1)), ("a.cls", b"10")], r"sample a has label 10: expected 0\.\.9"),
        ([("a.jpg", png(1)), ("a.cls", b"-1")], "sample a has label -1"),
        ([("a.jpg", png(1)), ("a.json", b"{")], r"sample a: its \.json is not JSON"),
        ([("a.jpg", png(1)), ("a.json", b"\xff\xfe1")], r"sample a: its \.json is not JSON"),
        ([("a.jpg", png(1)), ("a.json", b"[" * 100_000)], r"sample a: its \.json is not JSON"),
        ([("a.jpg", png(1)), ("a.json", b"[3]")], ".*has no integer label"),
        ([("a.jpg", png(1)), ("a.json", b'{"label": true}')], ".*has no integer label"),
        ([("a.jpg", png(1)), ("a.json", b'{"label": ""}')], ".*has no integer label"),
        ([("a.jpg", png(1)), ("a.cls", b"1"), ("a.label", b"2")], "sample a: its .cls says 1"),
    ],
)  # fmt: skip
def test_a_sample_that_breaks_a_rule_is_named(
    tmp_path: Path, content: list[tuple[str, bytes]], message: str
) -> None:
    with pytest.raises(InputError, match=rf"x\.tar: {message}") as caught:
        opened(tmp_path / "x.tar", content)
    assert "\n" not in str(caught.value)


def test_a_damaged_photograph_is_named_when_it_is_read(tmp_path: Path) -> None:
    source = opened(tmp_path / "x.tar", [("a.jpg", b"text"), ("a.cls", b"1")])
    with pytest.raises(InputError, match=r"x\.tar: sample a: cannot be decoded"):
        source.image(0)


def test_the_same_key_in_two_archives_is_two_samples(tmp_path: Path) -> None:
    files = [pack(tmp_path / f"{i}.tar", [("a.jpg", png(i)), ("a.cls", b"1")]) for i in range(2)]
    source = WebdatasetSource(files, "x", SPEC, 10)
    assert [int(source.image(i)[0, 0, 0]) for i in range(2)] == [0, 1]


def test_the_description(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    first = opened(tmp_path / "x.tar", SAMPLE).describe()
    assert {**first, "digest": ""} == {
        "kind": "webdataset", "name": "x.tar", "images": 1, "classes": None, "digest": "",
    }  # fmt: skip
    assert json.loads(json.dumps(first)) == first
    assert opened(tmp_path / "sub" / "x.tar", SAMPLE).describe() == first
    for other in (
        [("b.jpg", png(1)), ("b.cls", b"1")],
        [("a.jpg", png(1)), ("a.cls", b"2")],
        [("a.jpg", png(1) + b"\0"), ("a.cls", b"1")],
    ):
        assert opened(tmp_path / "x.tar", other).describe()["digest"] != first["digest"]
