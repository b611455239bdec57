"""The table of all radii: levels kept at every one of them, cached without harm."""

import io
from collections.abc import Callable
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import stats

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.statistics import sequential, table_boundaries
from smoothcert.engine.statistics.sequential import (
    Ints,
    Spending,
    crossing_probability,
    group_boundary,
    looks_until,
)
from smoothcert.engine.statistics.table_boundaries import (
    BoundaryTable,
    boundary_table,
    radius_steps,
)
from smoothcert.engine.statistics.table_cache import keep

STRICT = Spending(0.0, 0.25, 0.75)
ALPHA = 0.001


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path))
    return tmp_path / "boundaries"


def table(
    n: int = 100_000, sigma: float = 0.5, alpha: float = ALPHA, total_variation: float = 0.0
) -> BoundaryTable:
    asked = radius_steps([0.0, 0.5, 1 / 3])
    return boundary_table(sigma, asked, looks_until(n), alpha, STRICT, total_variation)


def test_levels() -> None:
    found = table()
    assert len(found.steps) == 383  # z = 0, .01, .. 3.81, and r = 1/3
    assert {0, 500_000, 333_334, 5_000, 1_905_000} <= set(found.steps.tolist())
    assert np.all(np.diff(found.steps) > 0)
    assert np.all(np.diff(found.needed, axis=1) >= 0)
    assert np.all(np.diff(found.needed[:, 0]) > 0)
    for level in (0, 10, 200):
        votes = int(found.needed[-1, level])
        assert found.level(-1, votes) >= level
        assert found.level(-1, votes - 1) == level - 1
    assert found.level(0, 0) == -1
    assert found.radius(0) == 0.0


def test_every_level_keeps_and_uses_alpha() -> None:
    """Sup over p of P[a false claim]: the class's own, and all others' at level 0, together."""
    found = table()
    zero = found.needed[:, 0]
    assert crossing_probability(0.5, found.looks, zero) <= ALPHA / 2
    assert crossing_probability(0.5, found.looks, zero) >= 0.97 * ALPHA / 2
    for g in range(1, len(found.steps), 7):
        tail = float(stats.norm.sf(found.steps[g] / 500_000))
        before = float(stats.norm.sf(found.steps[g - 1] / 500_000))
        own = crossing_probability(tail, found.looks, found.needed[:, g])
        others = crossing_probability(1.0 - before, found.looks, zero)
        assert own + others <= ALPHA
        if found.steps[g] <= 1_000_000:
            assert own + others >= 0.97 * ALPHA


def test_the_samplers_total_variation_is_allowed_for() -> None:
    """A class whose ideal probability is a level's bound may be drawn more often by tau."""
    tau = 0.003
    found = table(20_000, total_variation=tau)
    for g in (20, 100, 150):
        q = float(stats.norm.sf(found.steps[g] / 500_000)) - tau
        assert crossing_probability(q, found.looks, found.needed[:, g]) <= ALPHA
        plain = table(20_000)
        assert crossing_probability(q, plain.looks, plain.needed[:, g]) > ALPHA
    assert crossing_probability(0.5 - tau, found.looks, found.needed[:, 0]) <= ALPHA / 2
    assert found.needed[-1, -1] == 20_001  # a bound above 1 is never rejected


def test_high_levels_are_the_plain_boundaries() -> None:
    found = table()
    g = int(np.searchsorted(found.steps, 500_000))
    allowed = STRICT.cumulative(len(found.looks)) * ALPHA
    plain, _ = group_boundary(float(stats.norm.sf(1.0)), found.looks, allowed)
    assert np.max(np.abs(found.needed[:, g] - plain)) <= 2


def test_the_cache_is_used_and_repairs_itself(cache: Path) -> None:
    first = table(2000)
    (entry,) = cache.iterdir()
    content = entry.read_bytes()
    key = entry.stem

    stricter = first.needed + 1
    keep(key, table_boundaries._code(), stricter)
    np.testing.assert_array_equal(table(2000).needed, stricter)  # it is read, then

    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for damaged in (b"", content[:100], bytes(flipped), b"PK nonsense"):
        entry.write_bytes(damaged)
        assert table(2000).digest == first.digest
        assert entry.read_bytes() == content
    assert len(list(cache.iterdir())) == 1


def looser(needed: Ints, levels: slice | list[int]) -> Ints:
    """With a vote less at the last look, at these levels."""
    forged = needed.copy()
    forged[-1, levels] -= 1
    return forged


def test_forged_entries_are_not_used(cache: Path) -> None:
    """Boundaries of the right shape, ascending, but looser."""
    first = table(2000)
    (entry,) = cache.iterdir()
    content, key, code = entry.read_bytes(), entry.stem, table_boundaries._code()
    forged = looser(first.needed, slice(None))
    asked = int(np.searchsorted(first.steps, 500_000))
    np.savez_compressed(entry, needed=forged)
    forgeries: dict[str, Callable[[], None]] = {
        "no digest": lambda: None,
        "the digest of other numbers": lambda: _with_digest(entry, forged, content),
        "other code": lambda: keep(key, "0" * 64, first.needed),
        "other settings": lambda: _copied(cache, entry),
        "its own digest": lambda: keep(key, code, forged),
        "its own digest, and level 0 alone looser": lambda: keep(
            key, code, looser(first.needed, [0])
        ),
        "its own digest, and an asked level": lambda: keep(
            key, code, looser(first.needed, [asked])
        ),
        "another shape": lambda: keep(key, code, first.needed[:, :5]),
        "descending": lambda: keep(key, code, first.needed[:, ::-1]),
    }
    for what, forge in forgeries.items():
        forge()
        assert table(2000).digest == first.digest, what
        assert entry.read_bytes() == content, what


def _with_digest(entry: Path, needed: Ints, content: bytes) -> None:
    with np.load(io.BytesIO(content)) as genuine:
        np.savez_compressed(entry, needed=needed, digest=genuine["digest"])


def _copied(cache: Path, entry: Path) -> None:
    table(2000, alpha=0.01)
    (other,) = set(cache.iterdir()) - {entry}
    other.replace(entry)


def test_a_level_that_cannot_be_reached_stays_so(cache: Path) -> None:
    first = table(2000, total_variation=0.2)
    asked = int(np.searchsorted(first.steps, 500_000))
    assert first.needed[-1, asked] == 2001  # its bound is above 1
    forged = first.needed.copy()
    forged[-1, asked:] = 2000
    (entry,) = cache.iterdir()
    keep(entry.stem, table_boundaries._code(), forged)
    assert table(2000, total_variation=0.2).digest == first.digest


def test_no_cache_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = table(2000).digest
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "file"))
    assert table(2000).digest == expected


def test_tables_that_decide_differently_have_other_digests() -> None:
    digests = {
        table(2000).digest,
        table(2000, sigma=0.25).digest,
        table(2000, alpha=0.01).digest,
        table(2000, total_variation=0.01).digest,
        table(2048).digest,
    }
    assert len(digests) == 5


def test_radius_steps() -> None:
    assert radius_steps([0.5, 0.1 * 3, 0, 0.3, 1 / 3]).tolist() == [0, 300_000, 333_334, 500_000]


@pytest.mark.parametrize(
    ("radii", "words"),
    [([], "no radii"), ([-0.5], "radius -0.5"), ([float("nan")], "nan"), ([float("inf")], "inf")],
)
def test_radii_that_are_none(radii: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        radius_steps(radii)


@pytest.mark.parametrize("total_variation", [0.0, 1e-5])
def test_the_errors_of_arithmetic_are_on_the_safe_side(total_variation: float) -> None:
    """A null is less than its tail of the Gaussian, and what is crossed from more: both by more
    than any function of the library errs."""
    steps = np.array([0, 5000, 250_000, 1_000_000])
    null, others = table_boundaries._nulls(0.5, steps, total_variation)
    for step, below, above in zip(steps.tolist(), null, others, strict=True):
        tail = float(mpmath.ncdf(-mpmath.mpf(step) / 500_000))
        assert 0.5e-7 * tail < tail - (below + total_variation) < 2e-7 * tail
        assert 0.5e-7 * tail < (above - total_variation) - tail < 2e-7 * tail


def test_boundaries_are_kept_for_the_version_where_there_is_no_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequential, "__file__", "/nowhere/sequential.pyc")
    found = table_boundaries._code.__wrapped__()
    assert found == version_of("smoothcert") != ""
    monkeypatch.undo()
    assert table_boundaries._code.__wrapped__() != found
