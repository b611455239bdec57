"""A manifest gives the procedure of a run back."""

import json
from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.statistics.procedures import FixedCertify, Predict, Procedure
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.recorded import recorded_procedure
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.options import CertifyOptions

TAU = 1e-12
GOLDEN = Path(__file__).parents[2] / "golden"
ENTRIES = {
    "fixed": {"procedure", "n0", "n", "alpha"},
    "transferred": {"procedure", "n0", "n", "alpha", "n_zeta", "alpha_zeta"},
    "predicted": {"procedure", "n", "alpha"},
    "table": {"procedure", "n", "alpha", "radii", "setting", "looks", "label_aware", "boundaries"},
    "radius": {"procedure", "n0", "n", "alpha", "tolerance", "sizes", "checks", "beta",
               "label_aware", "plan"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, FixedCertify(0.5, 100, 100_000, 0.001, TAU)),
        ({"n0": 10, "n": 500, "alpha": 0.01}, FixedCertify(0.5, 10, 500, 0.01, TAU)),
        ({"family_wise": 500}, FixedCertify(0.5, 100, 100_000, 0.001 / 500, TAU)),
        ({"radii": (0.0, 0.5), "n": 2000}, TableCertify(0.5, (0.0, 0.5), 2000,
                                                        total_variation=TAU)),
        ({"radii": (0.0,), "n": 2000, "setting": "fast", "label_aware": True},
         TableCertify(0.5, (0.0,), 2000, setting="fast", label_aware=True, total_variation=TAU)),
        ({"tolerance": 0.01, "n": 2000}, RadiusCertify(0.5, 2000, tolerance=0.01,
                                                       total_variation=TAU)),
        ({"bound": "two-class"}, FixedCertify(0.5, total_variation=TAU, bound="two-class")),
        ({"bound": "two-class", "tolerance": 0.01, "n": 2000},
         RadiusCertify(0.5, 2000, tolerance=0.01, total_variation=TAU, bound="two-class")),
        ({"samples_price": 0.1, "n": 2000, "n0": 64},
         RadiusCertify(0.5, 2000, samples_price=0.1, pilot=64, total_variation=TAU)),
    ],
)  # fmt: skip
def test_options_and_manifests_give_the_procedure(
    options: dict[str, Any], expected: Procedure
) -> None:
    procedure = CertifyOptions(0.5, **options).procedure(TAU)
    assert procedure == expected
    run = {**procedure.describe(), "sigma": 0.5, "total_variation": TAU, "seed": 0}
    # Equal in everything that decides an outcome (looks are explicit in a manifest).
    assert recorded_procedure(json.loads(json.dumps(run))).describe() == expected.describe()


@pytest.mark.parametrize("name", ["fixed", "table", "radius", "transferred", "predicted"])
def test_what_an_earlier_version_described_is_described_again(name: str) -> None:
    """Every entry: a log that was begun with it is resumed, audited and merged by it."""
    run = json.loads((GOLDEN / f"{name}.tsv.json").read_text())["run"]
    described = recorded_procedure(run).describe()
    assert {entry: run.get(entry) for entry in described} == described
    assert set(described) >= ENTRIES[name]


def test_predict_is_recorded_too() -> None:
    run = {**Predict(100).describe(), "sigma": 0.5, "total_variation": TAU}
    assert recorded_procedure(run) == Predict(100, total_variation=TAU)


@pytest.mark.parametrize(
    "options",
    [{}, {"n_zeta": 500}, {"radii": (0.0, 0.5)}, {"tolerance": 0.01}, None],
    ids=["certify", "transfer", "table", "radius", "predict"],
)
@pytest.mark.parametrize("total_variation", [-0.01, -1e-300, float("nan")])
def test_a_negative_total_variation_is_refused(
    options: dict[str, Any] | None, total_variation: float
) -> None:
    """It would add to every bound that it is to be taken off."""

    def made(tau: float) -> Procedure:
        if options is None:
            return Predict(2000, total_variation=tau)
        return CertifyOptions(0.5, n=2000, **options).procedure(tau)

    with pytest.raises(InputError, match=r"total_variation .* is out of range"):
        made(total_variation)
    run = {**made(0.0).describe(), "sigma": 0.5, "total_variation": total_variation}
    with pytest.raises(InputError, match=r"total_variation .* is out of range"):
        recorded_procedure(run)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"procedure": "guess"}, "unknown"),
        ({"n": None}, "describe|integers|whole number"),
        ({"looks": [1, 2]}, "looks"),
        ({"alpha": 1e-17}, "alpha 1e-17 is out of range"),
    ],
)
def test_manifests_that_describe_none_are_refused(change: dict[str, Any], words: str) -> None:
    table = CertifyOptions(0.5, n=2000, radii=(0.0, 0.5)).procedure(TAU)
    run = {**table.describe(), "sigma": 0.5, "total_variation": TAU, **change}
    with pytest.raises(InputError, match=words):
        recorded_procedure(run)
    with pytest.raises(InputError, match="describe a procedure"):
        recorded_procedure({"procedure": "certify"})
