"""The radii of a table where nobody names any."""

import json
from pathlib import Path
from typing import Any

import pytest

from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.table import accuracy_table
from smoothcert.analysis.usual_radii import MOST, usual_radii
from smoothcert.engine.base.errors import InputError


def log_of(folder: Path, largest: float, name: str = "a", **run: Any) -> Log:
    path = folder / f"{name}.tsv"
    path.write_text(f"idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t{largest}\t1\t1.0\n")
    manifest = {"run": run, "status": "complete", "images": 1}
    path.with_name(f"{name}.tsv.json").write_text(json.dumps(manifest))
    return read_log(path)


@pytest.mark.parametrize(
    ("sigma", "largest", "expected"),
    [
        (0.25, 0.9, [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]),
        (0.5, 1.2, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (0.2, 0.35, [0.0, 0.1, 0.2, 0.3]),
        (1.0, 9.0, [0.0, 2.0, 4.0, 6.0, 8.0]),
        (0.5, 0.0, [0.0]),
    ],
)
def test_they_are_multiples_of_half_sigma(
    tmp_path: Path, sigma: float, largest: float, expected: list[float]
) -> None:
    assert usual_radii([log_of(tmp_path, largest, sigma=sigma)]) == expected


def test_of_several_sigmas_the_smallest_counts_and_the_largest_radius(tmp_path: Path) -> None:
    logs = [log_of(tmp_path, 0.4, "a", sigma=0.25), log_of(tmp_path, 1.1, "b", sigma=0.5)]
    assert usual_radii(logs) == [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]
    assert usual_radii([logs[0], log_of(tmp_path, 1.2, "c", sigma=1)])[1] == 0.25


def test_without_a_sigma_they_are_quarters(tmp_path: Path) -> None:
    assert usual_radii([log_of(tmp_path, 0.6)]) == [0.0, 0.25, 0.5]


@pytest.mark.parametrize("largest", [0.0, 0.24, 2.24, 2.25, 5.9, 6.0, 15.6, 1e9, 1e300])
def test_they_are_few_and_reach_the_largest(tmp_path: Path, largest: float) -> None:
    radii = usual_radii([log_of(tmp_path, largest)])
    assert radii[0] == 0.0
    assert radii == sorted(set(radii))
    assert len(radii) <= MOST
    assert radii[-1] <= largest
    assert len(radii) >= 5 or largest < 1.0


def test_table_mode_has_its_own(tmp_path: Path) -> None:
    own = [0.1 * number for number in range(20)]
    log = log_of(tmp_path, 0.6, procedure="table", radii=own, sigma=0.5, alpha=0.001)
    assert usual_radii([log]) == own
    accuracy_table([log], usual_radii([log]))  # which refuses any that it does not decide
    other = log_of(tmp_path, 0.6, "b", procedure="table", radii=[0.1, 5.0], sigma=0.5)
    assert usual_radii([log, other, log_of(tmp_path, 9.0, "c", sigma=1)]) == [0.1]
    third = log_of(tmp_path, 0.6, "d", procedure="table", radii=[5.0], sigma=0.5)
    with pytest.raises(InputError, match="decide no radius in common"):
        usual_radii([log, third])
