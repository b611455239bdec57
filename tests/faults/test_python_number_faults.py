"""Numbers that are given from Python: as an option's, of any type, and refused before a file is
opened."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import smoothcert
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.bench.comparison import BenchSettings
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.statistics.bounds import is_majority
from smoothcert.export.precision.reduce import Reduction
from smoothcert.keywords import RunOptions
from smoothcert.numbers import LISTS, NUMBERS

NO_NUMBERS: list[Any] = [
    math.nan, math.inf, -math.inf, "5", "\x1b", b"5", True, 10**5000, -(10**5000), 1j, object(),
    [1], (), {}, np.array([1, 2]),
]  # fmt: skip
SHORT = {"n": 200, "max": 2, "seed": 1, "backend": "onnxruntime", "batch": 8}


def _line(error: pytest.ExceptionInfo[InputError]) -> str:
    line = str(error.value)
    assert line.isprintable()
    assert len(line) < 400
    return line


@pytest.mark.parametrize("name", [*NUMBERS, *LISTS, "shard"])
def test_n_from_python_what_is_no_number_is_refused_before_a_file_is_opened(
    name: str, tmp_path: Path
) -> None:
    log, absent = tmp_path / "out.tsv", tmp_path / "absent"
    single = [value for value in NO_NUMBERS if not isinstance(value, list | np.ndarray)]
    several = [*single, *((value,) for value in NO_NUMBERS), (math.nan,) * 3, np.array([[0.5]])]
    for value in several if name in (*LISTS, "sigma") else NO_NUMBERS:
        given = {**SHORT, "sigma": 0.25, name: value}
        if name in ("n_zeta", "alpha_zeta"):
            given["transfer_to"] = absent
        if name == "rows":
            with pytest.raises(InputError) as refused:
                smoothcert.audit(log, absent, rows=value)
        else:
            with pytest.raises(InputError) as refused:
                smoothcert.certify(absent, absent, out=log, **given).run()
        assert name.replace("_", "-") in _line(refused)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [math.nan, -1, 2**64, "5", [1]])
def test_n_the_seed_of_an_audit_has_its_range(value: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed "):
        smoothcert.audit(tmp_path / "absent", tmp_path / "absent", seed=value)


def test_n_every_number_of_a_run_is_held_against_a_range() -> None:
    kinds = RunOptions.__annotations__
    named = {name for name, kind in kinds.items() if any(t in str(kind) for t in ("int", "float"))}
    assert named <= NUMBERS.keys() | LISTS.keys()
    assert len(named) > 10


@pytest.mark.parametrize(
    "given",
    [
        {"sigma": np.float32(0.25), "alpha": np.float64(0.001), "n": np.int64(200)},
        {"n0": np.int16(20), "skip": np.uint32(2), "max": np.int64(2), "threads": np.int8(1)},
        {"tolerance": np.float32(0.5), "family_wise": np.int64(90), "seed": np.uint64(2**63)},
        {"radii": np.array([0.1, 0.0]), "sample": np.int64(4), "sample_seed": np.int64(3)},
        {"mean": np.zeros(3), "std": [1, np.float32(1), 1.0], "input_shape": np.array([3, 6, 6])},
    ],
    ids=lambda given: ",".join(given),
)
def test_n_numbers_of_numpy_are_recorded_as_numbers(
    given: dict[str, Any], model: Path, source: Path, tmp_path: Path
) -> None:
    log = tmp_path / "out.tsv"
    smoothcert.certify(model, source, out=log, **{**SHORT, "sigma": 0.25, **given}).run()
    plain = {name: np.asarray(value).tolist() for name, value in given.items()}
    again = tmp_path / "again.tsv"
    smoothcert.certify(model, source, out=again, **{**SHORT, "sigma": 0.25, **plain}).run()
    runs = [json.loads(Path(f"{path}.json").read_text())["run"] for path in (log, again)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("value", [-1e-300, -0.5, -math.inf, math.nan, math.inf, 1.1, "0", None])
def test_n_a_distance_of_the_sampler_that_is_none_is_no_gain(value: Any) -> None:
    """A negative one would raise a radius above what is certified."""
    with pytest.raises(InputError, match="total_variation"):
        smoothcert.certified_radius(990, 1000, 0.001, 0.25, total_variation=value)
    with pytest.raises(InputError, match="total_variation"):
        is_majority(990, 1000, 0.001, total_variation=value)


@pytest.mark.parametrize("place", range(6))
def test_n_addresses_of_noise_are_whole_numbers(place: int) -> None:
    law = LatticeGaussian(0.25)
    for value in (*NO_NUMBERS, 2.5, -1, None, "0"):
        given: list[Any] = [0, 0, 0, 1, 1, 0]
        given[place] = value
        with pytest.raises(InputError) as refused:
            law.sample(*given)
        _line(refused)


def test_n_levels_and_pixels_are_whole_numbers() -> None:
    for value in (*NO_NUMBERS, 2.5, 0, -1, None):
        with pytest.raises(InputError, match="levels"):
            LatticeGaussian(0.25, value)
        with pytest.raises(InputError, match="num_pixels"):
            LatticeGaussian(0.25).total_variation(value)


@pytest.mark.parametrize("sigma", [np.float32(0.1), 1, np.int64(2), np.float64(0.1)])
def test_n_a_law_is_of_a_number_of_python(sigma: Any) -> None:
    law = LatticeGaussian(sigma)
    assert type(law.sigma) is float
    assert law == LatticeGaussian(float(sigma))
    assert np.array_equal(law.table.thresholds, LatticeGaussian(float(sigma)).table.thresholds)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (BuildOptions, ("batch", "optimization_level", "workspace", "aux_streams")),
        (BenchSettings, ("sigma", "reference_batch", "rounds", "seconds", "budget")),
        (Reduction, ("sigma", "max_zeta", "images")),
    ],
)
def test_n_settings_of_the_engine_have_the_ranges_of_the_options(
    kind: Any, names: tuple[str, ...]
) -> None:
    fixed = {"precision": "int8", "calibrate": "absent", "sigma": 0.25} if kind is Reduction else {}
    kind(**fixed)
    for name in names:
        for value in (*NO_NUMBERS, -1, 10**7):
            with pytest.raises(InputError) as refused:
                kind(**{**fixed, name: value})
            assert name.replace("_", "-") in _line(refused)
