"""The curve of certified accuracy, step by step."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from smoothcert.analysis.accuracy import certified_accuracy
from smoothcert.analysis.curve import certified_curve, drawn_steps
from smoothcert.analysis.log import read_log
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
# Five images: certified at .25, twice at .5, wrong with a radius of .9, abstained.
ROWS = (
    "0\t1\t1\t0.5\t1\t1\n1\t1\t1\t0.25\t1\t1\n2\t1\t2\t0.9\t0\t1\n"
    "3\t1\t-1\t0.0\t0\t1\n4\t1\t1\t0.5\t1\t1\n"
)


def write(folder: Path, rows: str, run: Mapping[str, object] | None = None) -> Path:
    path = folder / "log.tsv"
    path.write_text(HEADER + rows)
    if run is not None:
        manifest = {"run": run, "status": "complete"}
        path.with_name("log.tsv.json").write_text(json.dumps(manifest))
    return path


def test_it_drops_at_each_certified_radius(tmp_path: Path) -> None:
    curve = certified_curve(read_log(write(tmp_path, ROWS)))
    assert curve.radii.tolist() == [0.0, 0.25, 0.5]
    assert curve.accuracy.tolist() == [3 / 5, 3 / 5, 2 / 5]
    assert curve.decided is None
    x, y = drawn_steps(curve)
    corners = [(0, 0.6), (0, 0.6), (0.25, 0.6), (0.25, 0.4), (0.5, 0.4), (0.5, 0)]
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == corners


def test_a_radius_of_zero_counts_at_zero_only(tmp_path: Path) -> None:
    rows = "0\t1\t1\t0.0\t1\t1\n1\t1\t1\t0.5\t1\t1\n"
    curve = certified_curve(read_log(write(tmp_path, rows)))
    x, y = drawn_steps(curve)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [
        (0, 1),
        (0, 0.5),
        (0.5, 0.5),
        (0.5, 0),
    ]


def test_nothing_certified_is_a_point(tmp_path: Path) -> None:
    curve = certified_curve(read_log(write(tmp_path, "0\t1\t-1\t0.0\t0\t1\n")))
    assert (curve.radii.tolist(), curve.accuracy.tolist()) == ([0.0], [0.0])
    x, y = drawn_steps(curve)
    assert (x.tolist(), y.tolist()) == ([0.0, 0.0], [0.0, 0.0])


def test_table_mode_steps_at_the_radii_it_decides(tmp_path: Path) -> None:
    run = {"procedure": "table", "radii": [0.25, 0.5, 0.75]}
    # What exceeds a decided radius, or falls short of the first, draws no step of its own.
    rows = ROWS.replace("0.25", "0.31").replace("4\t1\t1\t0.5", "4\t1\t1\t0.6")
    rows += "5\t1\t1\t0.2\t1\t1\n" + "".join(f"{i}\t1\t-1\t0\t0\t1\n" for i in range(6, 10))
    curve = certified_curve(read_log(write(tmp_path, rows, run)))
    assert curve.decided is not None
    assert curve.decided.tolist() == [0.25, 0.5, 0.75]
    assert curve.radii.tolist() == [0.0, 0.25, 0.5, 0.75]
    x, y = drawn_steps(curve)
    # It ends at the last decided radius: what lies beyond is not known to be zero.
    corners = [(0, 0.3), (0, 0.3), (0.25, 0.3), (0.25, 0.2), (0.5, 0.2), (0.5, 0), (0.75, 0)]
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == corners


@pytest.mark.parametrize("radii", [[], [-1.0], [float("nan")]])
def test_a_manifest_with_useless_radii_is_refused(tmp_path: Path, radii: list[float]) -> None:
    path = write(tmp_path, ROWS, {"procedure": "table", "radii": radii})
    with pytest.raises(InputError, match=r"has run\.radii.*: expected a"):
        read_log(path)


def test_a_bound_is_drawn_at_the_same_radii(tmp_path: Path) -> None:
    curve = certified_curve(read_log(write(tmp_path, ROWS)))
    x, y = drawn_steps(curve, np.array([0.4, 0.4, 0.2]))
    assert x.tolist() == drawn_steps(curve)[0].tolist()
    assert y.tolist() == [0.4, 0.4, 0.4, 0.2, 0.2, 0.0]


@pytest.mark.parametrize("name", ["imagenet/sigma_0.25", "cifar10/sigma_1.00"])
def test_it_is_the_certified_accuracy_at_every_radius(
    published_log: Callable[[str], Path], name: str
) -> None:
    log = read_log(published_log(name))
    curve = certified_curve(log)
    grid = np.concatenate([np.linspace(0, 4.5, 2001), curve.radii, curve.radii + 1e-9])
    at = np.searchsorted(curve.radii, grid, side="left")
    np.testing.assert_array_equal(np.append(curve.accuracy, 0.0)[at], certified_accuracy(log, grid))
