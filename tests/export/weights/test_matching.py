"""Readings of a file's names: matched against what the architecture wants."""

import pytest

from smoothcert.export.weights.matching import best_reading, complete_prefixes

WANTED = {"conv.weight": (4, 3), "bn.weight": (4,), "bn.num_batches_tracked": (), "fc.bias": (5,)}
SEQUENTIAL = {"1.weight": (5, 192), "1.bias": (5,)}


def under(prefix: str) -> dict[str, tuple[int, ...]]:
    return {prefix + name: shape for name, shape in WANTED.items()}


@pytest.mark.parametrize(
    "prefix",
    ["model.", "module.", "net.", "1.", "1.module.", "module.1.", "module.backbone.", "a.b.c.d.e."],
)
def test_a_prefix_that_every_name_has_is_removed(prefix: str) -> None:
    reading = best_reading(under(prefix), WANTED)
    assert reading.fits
    assert reading.prefix == prefix
    assert prefix in reading.how
    assert list(reading.names.values()) == list(WANTED)


@pytest.mark.parametrize("wanted", [WANTED, SEQUENTIAL])
def test_names_that_fit_stay_as_they_are(wanted: dict[str, tuple[int, ...]]) -> None:
    reading = best_reading(wanted, wanted)
    assert reading.fits
    assert reading.how == ""
    assert dict(reading.names) == {name: name for name in wanted}


def test_a_wrapped_sequential_keeps_its_own_level() -> None:
    given = {f"module.{name}": shape for name, shape in SEQUENTIAL.items()}
    assert best_reading(given, SEQUENTIAL).names["module.1.bias"] == "1.bias"


def test_a_prefix_that_the_architecture_alone_has_is_added() -> None:
    given = {"weight": (5, 192), "bias": (5,)}
    reading = best_reading(given, SEQUENTIAL)
    assert reading.fits
    assert reading.names["bias"] == "1.bias"


def test_levels_that_torch_adds_inside() -> None:
    given = {"features.module.0.weight": (4, 3), "_orig_mod.fc.bias": (5,)}
    reading = best_reading(given, {"features.0.weight": (4, 3), "fc.bias": (5,)})
    assert reading.fits
    # A level of that name which the architecture has is not removed.
    own = {"module.0.weight": (4, 3), "fc.bias": (5,)}
    assert best_reading(own, own).how == ""


@pytest.mark.parametrize(
    ("given", "missing", "extra", "misshaped"),
    [
        ({k: v for k, v in WANTED.items() if k != "bn.num_batches_tracked"}, 0, 0, 0),
        ({k: v for k, v in under("m.").items() if "bn" not in k}, 1, 0, 0),
        ({**WANTED, "criterion.weight": (5,)}, 0, 1, 0),
        ({**WANTED, "fc.bias": (6,)}, 0, 0, 1),
        ({"x.weight": (4, 3)}, 3, 1, 0),
    ],
)
def test_what_does_not_fit_is_counted(
    given: dict[str, tuple[int, ...]], missing: int, extra: int, misshaped: int
) -> None:
    reading = best_reading(given, WANTED)
    counts = (len(reading.missing), len(reading.extra), len(reading.misshaped))
    assert counts == (missing, extra, misshaped)
    assert reading.fits == (counts == (0, 0, 0))
    assert reading.complete == (missing == misshaped == 0)


def test_a_prefix_is_not_removed_where_another_name_lacks_it() -> None:
    reading = best_reading({**under("model."), "criterion.weight": (5,)}, WANTED)
    assert not reading.fits


def test_two_networks_under_two_prefixes() -> None:
    assert complete_prefixes({**under("model."), **under("ema.")}, WANTED) == ("model.", "ema.")
    assert complete_prefixes({**under("model."), "loss.w": (5,)}, WANTED) == ("model.",)
    assert complete_prefixes({"x": (1,)}, WANTED) == ()
