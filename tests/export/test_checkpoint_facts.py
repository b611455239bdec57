"""What a checkpoint says of itself may be anything: one line, no traceback, no code."""

import math
from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.export.checkpoint_facts import Facts, Wishes, implied_dataset, input_spec


def facts(**entries: Any) -> Facts:
    return Facts.of(Path("x.pth"), entries)


def spec(wishes: Wishes | None = None, **entries: Any) -> Any:
    return input_spec(facts(**{"input_shape": [3, 8, 8], **entries}), None, wishes or Wishes())


@pytest.mark.parametrize(
    "arch",
    ["os:abort", "sys:exit", "http.server:test", "pkg.module:factory", "this:x", "hf:folder",
     "timm:hf-hub:someone/something", "timm:", 7, ["resnet18"]],
)  # fmt: skip
def test_a_file_does_not_choose_what_code_is_run(arch: Any) -> None:
    with pytest.raises(InputError, match="--arch") as caught:
        facts(arch=arch).arch()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arch", ["resnet50", "timm:resnet18.a1_in1k", "torchvision:vit_b_16"])
def test_an_architecture_is_a_name(arch: str) -> None:
    assert facts(arch=arch).arch() == arch
    assert facts().arch() is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input_shape", "abc"),
        ("input_shape", [3, "x", 8]),
        ("input_shape", 7),
        ("input_shape", [3, math.nan, 8]),
        ("input_shape", [3, 1e6, 1e6]),
        ("input_shape", [3, 8.5, 8]),
        ("input_shape", [3, 0, 8]),
        ("input_shape", [3, 60_000, 60_000]),
        ("mean", ["a"]),
        ("mean", 7),
        ("mean", [10**400] * 3),
        ("mean", [math.inf] * 3),
        ("std", [0.1, 0.1]),
        ("std", [0.0] * 3),
        ("std", [1e-300] * 3),
        ("mean", [1e300] * 3),
        ("resize", "x"),
        ("resize", 10**12),
        ("resize", 4),
        ("interpolation", "nearest"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_facts_of_the_wrong_kind(key: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        spec(**{key: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [10**9, -1, 1])
def test_numbers_of_classes_that_are_none(value: int) -> None:
    with pytest.raises(InputError, match="--num-classes"):
        facts(num_classes=value).num_classes()


def test_facts_of_the_right_kind() -> None:
    found = spec(mean=[0.5] * 3, std=[0.25] * 3, resize=9, interpolation="bicubic")
    assert (found.shape, found.mean, found.std) == ((3, 8, 8), (0.5,) * 3, (0.25,) * 3)
    assert (found.resize, found.interpolation) == (9, "bicubic")
    assert facts(num_classes=10).num_classes() == 10
    assert facts(num_classes=0).num_classes() is None


def test_options_overrule_facts_and_facts_the_dataset() -> None:
    wishes = Wishes(input_shape=(3, 16, 16), std=(2.0,) * 3)
    found = input_spec(facts(mean=[0.1] * 3), implied_dataset("cifar10"), wishes)
    assert (found.shape, found.mean, found.std) == ((3, 16, 16), (0.1,) * 3, (2.0,) * 3)


@pytest.mark.parametrize(
    ("given", "mean", "std"),
    [((-1, 1), 0.5, 0.5), ((0, 1), 0, 1), ((0, 255), 0, 1 / 255), ((-2, 2), 0.5, 0.25)],
)
def test_a_range_is_a_normalisation(given: tuple[float, float], mean: float, std: float) -> None:
    found = spec(Wishes(input_range=given))
    assert found.mean == pytest.approx((mean,) * 3)
    assert found.std == pytest.approx((std,) * 3)


@pytest.mark.parametrize(
    "wishes",
    [Wishes(input_range=(1, 1)), Wishes(input_range=(0, math.inf)), Wishes(input_range=(1, -1)),
     Wishes(input_range=(0, 1), mean=(0.5,) * 3), Wishes(input_shape=(3, 10**6, 10**6))],
)  # fmt: skip
def test_options_that_say_no_input(wishes: Wishes) -> None:
    with pytest.raises(InputError):
        spec(wishes)
