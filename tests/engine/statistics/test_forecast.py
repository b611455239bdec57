from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.statistics.forecast import forecast_samples
from smoothcert.engine.statistics.procedures import FixedCertify
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.table import TableCertify


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "cache"))


def test_a_fixed_n_is_drawn_whole() -> None:
    drawn = forecast_samples(FixedCertify(0.5, 10, 1000), [(0, np.array([400, 100]))], 3)
    assert drawn.tolist() == [[1010.0] * 3]


def test_a_table_takes_what_trials_of_such_images_take() -> None:
    """Images of known probabilities: the forecast from their pilots against their own trials."""
    procedure = TableCertify(0.5, (0.0, 0.5), 20_000)
    rng = np.random.default_rng(6)
    pilots, own = [], []
    for p in rng.uniform(0.3, 1.0, 60):
        shares = (p, 0.6 * (1 - p), 0.4 * (1 - p))
        pilots.append((0, rng.multinomial(500, shares)))
        trial = procedure.trial(0)
        wanted = next(trial)
        while True:
            try:
                wanted = trial.send(rng.multinomial(wanted.count, shares))
            except StopIteration as end:
                own.append(end.value.drawn)
                break
    found = forecast_samples(procedure, pilots, 8)
    assert found.shape == (60, 8)
    assert found.mean() == pytest.approx(np.mean(own), rel=0.25)
    assert np.corrcoef(found.mean(axis=1), own)[0, 1] > 0.4


def test_clear_images_take_less_and_other_labels_less_still() -> None:
    procedure = TableCertify(0.5, (0.0,), 20_000, label_aware=True)
    clear, near = np.array([495, 5]), np.array([255, 245])
    drawn = forecast_samples(procedure, [(0, clear), (0, near), (1, clear)], 20).mean(axis=1)
    assert drawn[0] <= drawn[1]
    assert drawn[2] <= drawn[1]
    radius = RadiusCertify(0.5, 20_000, tolerance=0.01)
    drawn = forecast_samples(radius, [(0, clear), (0, np.array([100, 400]))], 5).mean(axis=1)
    assert drawn.max() <= 20_500
