"""The layers kept in float32 are the fewest of the most harmful, by measured votes."""

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.export.precision.fallback import layers_to_keep

HARM = {"a": 0.01, "b": 0.30, "c": 0.0, "d": 0.04, "e": 0.05, "f": 0.0, "g": 0.0, "h": 0.0}
LAYERS = list(HARM)


def keep(tolerated: float) -> tuple[list[str], list[str]]:
    """The layers kept of a network whose harms add up, and those measured alone."""
    alone: list[str] = []

    def of_one(layer: str) -> float:
        alone.append(layer)
        return HARM[layer]

    def keeping(kept: list[str]) -> float:
        return sum(harm for layer, harm in HARM.items() if layer not in kept)

    return layers_to_keep(LAYERS, keeping, of_one, tolerated), alone


def test_nothing_is_kept_or_measured_alone_where_all_layers_can_go() -> None:
    assert keep(0.5) == ([], [])


@pytest.mark.parametrize(
    ("tolerated", "kept"),
    [(0.2, ["b"]), (0.055, ["b", "e"]), (0.02, ["b", "e", "d"]), (0.001, ["b", "e", "d", "a"])],
)
def test_the_fewest_of_the_most_harmful_are_kept(tolerated: float, kept: list[str]) -> None:
    assert keep(tolerated) == (kept, LAYERS)


def test_more_than_half_is_refused() -> None:
    def always(kept: object) -> float:
        return 0.3

    with pytest.raises(InputError, match=r"0.3 of the votes differ .* 4 most harmful") as caught:
        layers_to_keep(LAYERS, always, always, 0.1)
    assert "\n" not in str(caught.value)
