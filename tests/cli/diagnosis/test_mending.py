"""Options that refusals name are tried, and nothing else."""

from dataclasses import dataclass
from typing import Any

import pytest

from smoothcert.cli.diagnosis.mending import mends, named_options
from smoothcert.engine.base.errors import InputError


@dataclass(frozen=True)
class Options:
    layout: str | None = None
    logits: str | None = None
    odd: bool = False


def test_options_are_found_in_sentences() -> None:
    text = "give --layout nchw or --layout nhwc, --input-shape C,H,W (see `--logits`)"
    assert named_options(text) == ["layout", "input_shape", "logits"]


def test_a_refusal_behind_a_refusal_is_followed() -> None:
    def open_with(options: Options) -> str:
        if options.layout is None:
            raise InputError("give --layout")
        if options.logits != "y":
            raise InputError("give --logits")
        return f"{options.layout} {options.logits}"

    values: dict[str, list[Any]] = {"layout": ["nchw", "nhwc"], "logits": ["x", "y"]}
    found = mends(open_with, Options(), InputError("give --layout"), lambda name: values[name])
    assert [mend.opened for mend in found] == ["nchw y", "nhwc y"]


@pytest.mark.parametrize("given", [Options(layout="nchw"), Options()])
def test_what_is_given_or_not_named_stays(given: Options) -> None:
    def open_with(options: Options) -> None:
        assert options.layout == given.layout
        raise InputError("--odd is no help")

    values: dict[str, list[Any]] = {"layout": ["nhwc"] if given.layout else [], "odd": [True]}
    refusal = InputError("give --layout or --odd")
    assert mends(open_with, given, refusal, lambda name: values[name]) == []


def test_trying_ends() -> None:
    tried = []

    def open_with(options: Options) -> None:
        tried.append(options)
        raise InputError(f"give another --layout than {options.layout}")

    mends(open_with, Options(), InputError("--layout"), lambda name: map(str, range(1000)))
    assert len(tried) == 16
