"""Which output is read as logits, and where several could be."""

from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.onnx_graph import GraphValue
from smoothcert.export.foreign.logits_reading import LogitsReading, read_logits
from smoothcert.export.foreign.options import ModelOptions

FEATURES = GraphValue("g", "tensor(float)", ["N", 3, 1, 1])
LOGITS = GraphValue("y", "tensor(float)", ["N", 5])
LABELS = GraphValue("label", "tensor(int64)", ["N"])
MAP = GraphValue("map", "tensor(float)", ["N", 3, 8, 8])
ONE = GraphValue("p", "tensor(float)", ["N", 1])
DICTIONARIES = GraphValue("z", "seq(map(int64,tensor(float)))", [])


def read(*outputs: GraphValue, batch: int | None = None, **options: Any) -> LogitsReading:
    return read_logits(Path("m.onnx"), outputs, batch, ModelOptions(**options))


@pytest.mark.parametrize(
    ("outputs", "options", "name", "classes"),
    [
        ([LOGITS], {}, "y", 5),
        ([FEATURES], {}, "g", 3),
        ([LABELS, LOGITS], {}, "y", 5),
        ([MAP, LOGITS], {}, "y", 5),
        ([ONE, LOGITS], {}, "y", 5),
        ([DICTIONARIES, LOGITS], {}, "y", 5),
        ([FEATURES, LOGITS], {"logits": "y"}, "y", 5),
        ([FEATURES, LOGITS], {"logits": "g"}, "g", 3),
        ([ONE], {"threshold": 0.5}, "p", 2),
        ([ONE, LOGITS], {"threshold": 0.5, "logits": "p"}, "p", 2),
        ([LABELS, ONE], {"threshold": 0.5}, "p", 2),
        ([GraphValue("q", "tensor(uint8)", ["N", 1000])], {}, "q", 1000),
    ],
)
def test_the_one_that_fits_is_taken(
    outputs: list[GraphValue], options: dict[str, Any], name: str, classes: int
) -> None:
    found = read(*outputs, **options)
    assert (found.name, found.classes) == (name, classes)


@pytest.mark.parametrize(
    ("outputs", "options", "words"),
    [
        ([FEATURES, LOGITS], {}, r"g \[N, 3, 1, 1\]; y \[N, 5\]: .* --logits y"),
        ([ONE], {}, r"one output per image, p \[N, 1\].*--threshold T"),
        ([LOGITS], {"threshold": 0.5}, "5 classes: --threshold is of a single output"),
        ([ONE, LOGITS], {"threshold": 0.5}, "2 outputs that can be its logits"),
        ([LOGITS], {"logits": "z"}, r"--logits 'z' is no output .* one of y \[N, 5\]"),
        (
            [LABELS, LOGITS],
            {"logits": "label"},
            r"returns label int64 \[N\]: expected float scores",
        ),
        ([MAP], {}, r"returns map \[N, 3, 8, 8\]: expected float logits"),
        ([LABELS, DICTIONARIES], {}, r"seq\(map\(int64,tensor\(float\)\)\)"),
        ([GraphValue("n", "tensor(float)", ["N", 5, 2])], {}, "expected float logits"),
        ([], {}, "returns nothing"),
        ([GraphValue("a\nb", "tensor(float)", ["N", 5, 2])], {}, r"returns 'a\\nb' \[N, 5, 2\]"),
        ([LOGITS] * 9, {}, r"9 outputs that can be .*; and 3 more: expected one"),
    ],
)
def test_others_are_refused_in_one_line(
    outputs: list[GraphValue], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(*outputs, **options)
    assert "\n" not in str(caught.value)


def test_a_batch_of_one_may_have_lost_its_side() -> None:
    bare = GraphValue("y", "tensor(float)", [5])
    assert read(bare, batch=1).classes == 5
    with pytest.raises(InputError, match="one output per image"):
        read(bare, batch=5)  # a number of each of five images


@pytest.mark.parametrize(
    ("shape", "batch"), [([8, 5], 1), ([16, 5], None), ([5], None), ([8], 5), ([1, 5], 4)]
)
def test_rows_that_are_no_images_are_no_logits(shape: list[int | str | None], batch: Any) -> None:
    with pytest.raises(InputError, match=r"returns y \[.*K classes for each image"):
        read(GraphValue("y", "tensor(float)", shape), batch=batch)
