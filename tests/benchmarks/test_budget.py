"""The order of a budget changes what is decided when, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from budget import ORDERS, spent, votes_of
from workloads import Log, Workload

from smoothcert.engine.statistics.table import TableCertify


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "cache"))


def test_all_orders_take_the_same_samples_in_the_end() -> None:
    p = np.array([0.95, 0.52, 0.7, 0.4, 0.85, 0.505])
    workload = Workload(Log("x", "x", 0.5, 0.001, (0.0, 0.5)), p, p, np.full(6, True))
    procedure = TableCertify(0.5, (0.0, 0.5), 20_000, budgeted=True)
    votes = votes_of(workload, procedure, 1)
    _, total = spent(procedure, votes, ORDERS["in turn"], [])
    parts = [0.0, 0.3 * total, 0.999 * total]
    left = {name: spent(procedure, votes, order, parts) for name, order in ORDERS.items()}
    assert {all_of for _, all_of in left.values()} == {total}
    assert all(found[0] == 12 for found, _ in left.values())
    assert left["worth"][0][1] < left["one by one"][0][1]
    assert all(found[2] >= 1 for found, _ in left.values())
