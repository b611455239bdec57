"""What may be said of a model, and what a manifest of anyone's may claim was said."""

import json
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions, typed

ALL = ModelOptions(
    input_shape=(3, 8, 8),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    resize=9,
    interpolation="bicubic",
    layout="nhwc",
    logits="y",
    threshold=0.5,
)


@pytest.mark.parametrize("options", [NOTHING_SAID, ALL, ModelOptions(input_range=(-1.0, 1.0))])
def test_a_record_gives_the_options_again(options: ModelOptions) -> None:
    record = json.loads(json.dumps(options.to_record()))
    assert ModelOptions.recorded(record, "here") == options
    assert options.to_record().keys() == options.given().keys()


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {"colour": 1},
        {"input_shape": [3, 8]},
        {"input_shape": [3, 8, True]},
        {"input_shape": 3},
        {"mean": [0.5, "x"]},
        {"std": [10**400]},
        {"input_range": [0]},
        {"resize": 1.5},
        {"interpolation": "nearest"},
        {"interpolation": ["bilinear"]},
        {"layout": "nchw "},
        {"logits": 7},
        {"threshold": "0.5"},
        {"threshold": float("nan")},
    ],
)
def test_a_record_of_another_form_is_refused(record: Any) -> None:
    with pytest.raises(InputError, match=r"^the options of x.*edited\?$"):
        ModelOptions.recorded(record, "the options of x")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_range": (-1.0, 1.0), "mean": (0.5,)}, "in two ways"),
        ({"input_range": (-1.0, 1.0), "std": (0.5,)}, "in two ways"),
        ({"input_range": (1.0, -1.0)}, "--input-range 1,-1 is no range"),
        ({"input_range": (0.0, float("inf"))}, "is no range"),
        ({"threshold": float("nan")}, "--threshold nan is not finite"),
        ({"input_shape": (3, 0, 8)}, "--input-shape 3,0,8 has a side below 1"),
    ],
)
def test_what_says_nothing_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ModelOptions(**options)


def test_a_range_is_a_mean_and_a_std() -> None:
    assert ModelOptions().normalisation(3) == ((), ())
    assert ModelOptions(input_range=(0.0, 1.0)).normalisation(3) == ((), ())
    assert ModelOptions(input_range=(-1.0, 1.0)).normalisation(2) == ((0.5, 0.5), (0.5, 0.5))
    mean, std = ModelOptions(input_range=(0.0, 255.0)).normalisation(1)
    assert (mean, std) == ((0.0,), (1 / 255,))
    assert str(mean) == "(0.0,)"  # not -0.0


def test_options_are_shown_as_they_are_typed() -> None:
    assert typed("input_shape", (3, 8, 8)) == "--input-shape 3,8,8"
    assert typed("logits", "y") == "--logits y"
