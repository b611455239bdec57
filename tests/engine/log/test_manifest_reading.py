"""What is no manifest is told in one line, with the entry and where it stands."""

import json
import os
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest_reading import (
    DEEPEST,
    MOST_BYTES,
    MOST_VALUES,
    check_required,
    parse,
    read,
)
from smoothcert.engine.log.manifest_schema import REQUIRED, Purpose

PATH = Path("out.tsv.json")


def refusal(content: str | bytes, purpose: Purpose = Purpose.ANALYSIS) -> str:
    """The one line about a content."""
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    with pytest.raises(InputError) as caught:
        parse(content, PATH, purpose)
    words = str(caught.value)
    assert words.isprintable()
    assert len(words) < 500
    return words


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ('"sigma": "x"', "has run.sigma 'x': expected a number; was it edited?"),
        ('"sigma": 0', "has run.sigma 0: expected a number > 0.0"),
        ('"n": 1.0', "has run.n 1.0: expected a whole number"),
        ('"n": true', "has run.n True: expected a whole number"),
        ('"n": 1000000001', "has run.n 1000000001: expected a whole number <= 1000000000"),
        ('"label_aware": 1', "has run.label_aware 1: expected true or false"),
        ('"radii": [0.0, "x"]', "has run.radii[1] 'x': expected a number"),
        ('"radii": []', "has run.radii []: expected a list of length >= 1"),
        ('"precision": 7', "has run.precision 7: expected a text or null"),
        ('"selection": {"shard": {}}', "has run.selection.shard {}: expected a whole number"),
        ('"selection": {"only_correct": {"tried": 1, "correct": 1, "backend": "", "device": ""}}',
         "expected an object with precision"),
        ('"model": {"adapted": []}', "has run.model.adapted []: expected an object"),
        ('"procedure": "' + "x" * 999 + '"', "has run.procedure 'xxx"),
        ('"seed": 18446744073709551616', "has run.seed a whole number of 20 digits: expected one"),
        ('"seed": ' + "9" * 5000, "has run.seed a whole number of 5000 digits: expected one of 64"),
        ('"seed": -9223372036854775809', "has run.seed a whole number of 19 digits"),
        ('"sigma": NaN', "has run.sigma NaN: expected a number"),
        ('"sigma": -Infinity', "has run.sigma -Infinity: expected a number"),
        ('"sigma": 1e999', "has run.sigma 1e999: expected a finite number"),
        ('"a": {"b": [1e999]}', "has run.a.b[0] 1e999: expected a finite number"),
        ('"n": 1, "n": 2', "has run 'n' twice: expected each entry once"),
        ('"noise": "\\ud800"', "has run.noise '\\ud800': expected text in Unicode"),
        ('"a\\ud800": 1', "has run an entry 'a\\ud800': expected names in Unicode"),
        ('"a\\u001b\\n": 1e999', "has run.a\\x1b\\n 1e999"),
    ],
)  # fmt: skip
def test_an_entry_is_named_with_its_path(entries: str, words: str) -> None:
    assert (
        f"out.tsv.json {words}" in (said := refusal(f'{{"run": {{{entries}}}}}')) or words in said
    )


def test_entries_beside_the_run() -> None:
    assert "has sessions[1].backend 7: expected an object" in refusal(
        '{"sessions": [{}, {"backend": 7}]}'
    )
    assert "has failed[0] {'idx': 1}: expected an object with reason" in refusal(
        '{"failed": [{"idx": 1}]}'
    )
    assert "has row_independence {'a.onnx': 1}: expected an object, each of its entries a text" in (
        refusal('{"row_independence": {"a.onnx": 1}}')
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "cannot be read as a manifest (Expecting value: line 1 column 1 (char 0))"),
        (b'{"run": "\xff"}', "byte 9 is no UTF-8"),
        ("[" * 200_000, "is nested too deep"),
        ('{"a":' * 50_000, "is nested too deep"),
        ("[]", "is no manifest (it holds []): expected a JSON object"),
        ("1e999", "has 1e999: expected a finite number"),
        ('{"run": {}, "run": {}}', "has 'run' twice"),
    ],
)
def test_what_is_no_object_of_json(content: str | bytes, words: str) -> None:
    assert words in refusal(content)


def test_depth_is_bounded() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a": ' * depth + b"0" + b"}" * depth

    assert parse(nested(DEEPEST), PATH, Purpose.ANALYSIS)
    assert "more within it: expected at most" in refusal(nested(DEEPEST + 1))


@pytest.mark.parametrize("value", [b"0", b"[]", b"{}", b'""', b'"\\""'])
def test_values_are_counted_before_they_take_memory(value: bytes) -> None:
    content = b'{"a": [' + b",".join([value] * (MOST_VALUES + 1)) + b"]}"
    assert "more than 2,097,152 values" in refusal(content)


def test_a_long_text_is_one_value() -> None:
    chosen = ",".join(map(str, range(0, 10 * MOST_VALUES, 4)))
    assert chosen.count(",") > MOST_VALUES
    content = json.dumps({"run": {"selection": {"chosen": chosen}}, "more": '"[{,\\'})
    assert parse(content.encode(), PATH, Purpose.ANALYSIS) == json.loads(content)


def test_other_entries_stay(tmp_path: Path) -> None:
    content = b'{"run": {"later": [1, {"x": null}]}, "sessions": [{"pid": 1}], "more": "\xc3\xb6"}'
    (tmp_path / "m.json").write_bytes(content)
    assert read(tmp_path / "m.json", Purpose.RESUME) == {
        "run": {"later": [1, {"x": None}]},
        "sessions": [{"pid": 1}],
        "more": "\u00f6",
    }


@pytest.mark.parametrize("purpose", [Purpose.RESUME, Purpose.MERGE, Purpose.AUDIT])
def test_what_is_needed_is_asked_for(purpose: Purpose) -> None:
    first = REQUIRED[purpose][0]
    assert f"has no {first}, which {purpose.value} needs" in refusal("{}", purpose)
    check_required({"run": {"seed": 0}}, PATH, ("run.seed",), "a test")
    with pytest.raises(InputError, match=r"has no run\.n, which a test needs"):
        check_required({"run": {"seed": 0}}, PATH, ("run.seed", "run.n"), "a test")


def test_a_file_is_regular_and_bounded(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    for path, words in ((tmp_path, "a folder"), (pipe, "a pipe"), (large, "67,108,865 bytes")):
        with pytest.raises(InputError, match=words):
            read(path, Purpose.ANALYSIS)
