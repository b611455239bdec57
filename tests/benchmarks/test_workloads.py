"""Counts are recovered from radii printed to three digits."""

from pathlib import Path

import numpy as np
import pytest
from scipy import special
from workloads import LOGGED_N, Log, load

LOG = Log("synthetic", "log.tsv", 0.5, 0.01, (0.0, 0.5))


def printed(votes: int) -> str:
    q = -np.expm1(np.log(0.01) / LOGGED_N)
    if votes < LOGGED_N:
        q = special.betainccinv(LOGGED_N - votes + 1, votes, 0.01)
    return f"{-0.5 * special.ndtri(q):.3}"


def write(folder: Path, rows: list[tuple[int, str, int]]) -> None:
    lines = ["idx\tlabel\tpredict\tradius\tcorrect\ttime"]
    lines += [f"{i}\t3\t{p}\t{radius}\t{c}\t1.0" for i, (p, radius, c) in enumerate(rows)]
    (folder / LOG.path).write_text("\n".join(lines) + "\n")


def test_counts_are_recovered(tmp_path: Path) -> None:
    votes = [52_000, 70_000, 90_000, 99_000, 99_990, 99_999]
    rows = [(3, printed(k), 1) for k in votes] + [(7, printed(60_000), 0)]
    write(tmp_path, rows)
    workload = load(LOG, tmp_path, np.random.default_rng(0))
    np.testing.assert_allclose(1 - workload.p[:6], 1 - np.array(votes) / LOGGED_N, rtol=0.01)
    assert workload.correct.tolist() == [True] * 6 + [False]
    assert workload.label_p[6] < 1 - workload.p[6]
    np.testing.assert_array_equal(workload.label_p[:6], workload.p[:6])


def test_what_a_log_does_not_tell_is_modelled(tmp_path: Path) -> None:
    rows = [(3, printed(LOGGED_N), 1)] * 3 + [(3, printed(LOGGED_N - 2), 1)] * 3
    rows += [(-1, "0.0", 0)] * 4 + [(3, printed(55_000), 1)] * 5
    write(tmp_path, rows)
    workload = load(LOG, tmp_path, np.random.default_rng(0))
    assert np.all((workload.p[:3] > 1 - 1 / LOGGED_N) & (workload.p[:3] < 1))
    assert np.all((workload.p[6:10] < 0.5) & (workload.p[6:10] > 0.4))


def test_radii_of_another_alpha_are_refused(tmp_path: Path) -> None:
    write(tmp_path, [(3, "1.99", 1)])  # above what 100,000 votes certify
    with pytest.raises(SystemExit, match="1 radii are not attainable"):
        load(LOG, tmp_path, np.random.default_rng(0))
