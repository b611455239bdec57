import json
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.labelling.json_labels import is_json, named_labels

PAIRS = [("b.jpg", 4), ("a.jpg", 1)]


def read(text: str, *, by_name: bool = False) -> list[tuple[int, str, str]]:
    names, classes = {"file_name", "id"}, {"label", "target", "wnid"}
    return list(named_labels(Path("list.json"), text, names, classes, by_name))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(dict(PAIRS)),
        json.dumps(PAIRS),
        json.dumps({"labels": PAIRS}),
        json.dumps({"labels": dict(PAIRS)}),
        "\n".join(map(json.dumps, PAIRS)),
        json.dumps([{"file_name": name, "label": k, "text": "x"} for name, k in PAIRS]),
        "".join(json.dumps({"label": k, "file_name": name}) + "\n" for name, k in PAIRS),
    ],
)
def test_lists_as_they_are_found(text: str) -> None:
    assert is_json(text)
    assert read(text) == [(1, "b.jpg", "4"), (2, "a.jpg", "1")]


def test_a_single_line(tmp_path: Path) -> None:
    assert read('{"file_name": "x.png", "wnid": "n01440764"}') == [(1, "x.png", "n01440764")]


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"labels": []}', "[" * 100_000, "[1, 2]", '{"a.jpg": null}',
        '{"a.jpg": [3]}', '{"a.jpg": true}', '[["a.jpg", 1, 2]]', '[["a.jpg", ""]]', "[[3, 4]]",
        '{"a.jpg": 1, "b.jpg": 2, "a.jpg": 3}', '[{"file_name": "a.jpg", "label": 1, "target": 2}]',
        '[{"file_name": "a.jpg"}]', '[{"label": 3}]', '{"file_name": "a", "label": 1}\n{"fi',
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"list\.json: .*expected JSON such as") as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_lines_of_names_are_no_json() -> None:
    assert not is_json("a.jpg 3\nb.jpg 4\n")


def test_of_several_fields_the_one_that_says_it() -> None:
    text = '[{"id": 7, "file_name": "x.png", "wnid": "n01440764", "label": 3, "target": 3}]'
    assert read(text) == [(1, "x.png", "3")]
    assert read(text, by_name=True) == [(1, "x.png", "n01440764")]


def test_a_name_that_stands_twice_is_named() -> None:
    with pytest.raises(InputError, match=r'an object has "a\.jpg" twice'):
        read('{"a.jpg": 1, "a.jpg": 1}')
