"""What a model file says of itself, by its types."""

import json
from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.models.metadata import metadata_of

MODEL = Path("m.onnx")


def test_a_foreign_model_says_nothing() -> None:
    assert metadata_of(MODEL, {"other": "["}) == {}


def test_entries_that_are_not_ours_are_left_alone() -> None:
    said = {"arch": "x", "precision": "int8", "quantization": {"target": "gpu"}, "more": [1, "é"]}
    assert metadata_of(MODEL, {METADATA_KEY: json.dumps(said)}) == said


@pytest.mark.parametrize("text", ["", "[]", "7", "{", "[" * 10**5, '{"a": NaN}', '{"a": Infinity}'])
def test_metadata_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no JSON object"):
        metadata_of(MODEL, {METADATA_KEY: text})


@pytest.mark.parametrize(
    "said",
    [
        {"arch": 7}, {"arch": "\ud800"}, {"arch": "\x1b"}, {"arch": "x" * 1001}, {"dataset": []},
        {"num_classes": "4"}, {"num_classes": 10**9}, {"precision": "fp1"}, {"said": "x"},
        {"quantization": []}, {"denoiser": {"name": "x"}}, {"classifier": 7}, {"adapted": 1},
        {"denoiser": {"name": "x", "sha256": "y", "sigma": 1e-300}},
    ],
)  # fmt: skip
def test_entries_of_other_types_are_refused_in_one_line(said: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="does not write") as found:
        metadata_of(MODEL, {METADATA_KEY: json.dumps(said)})
    assert str(found.value).isprintable()
