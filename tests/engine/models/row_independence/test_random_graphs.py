"""No random graph is proven in which ONNX Runtime sees rows that hang on one another."""

from collections import Counter

import numpy as np
from random_graphs import random_case
from row_graphs import Case, deviation

GRAPHS = 400
_ROUNDING = 1e-3


def judged(case: Case) -> float | None:
    """How far rows depend on one another; None where ONNX Runtime does not run the graph.

    A difference must show with three inputs: a tie that rounding decides does not.
    """
    batch, *rows = case.shape.split(",")
    fixed = int(batch) if batch.isdigit() else None
    least = np.inf
    for seed in range(3):
        found = _deviation(case, [int(side) for side in rows], fixed, seed)
        if found is None:
            return None
        least = min(least, found)
        if least < _ROUNDING:
            break
    return float(least)


def _deviation(case: Case, shape: list[int], fixed: int | None, seed: int) -> float | None:
    """In batches of any size, or else in those of four: a graph may fit no other."""
    for batch in (fixed, fixed or 4):
        try:
            return deviation(case.model(), "y", shape, batch, seed)
        except Exception:  # of whatever kind the runtime has
            continue
    return None


def test_nothing_that_mixes_is_proven() -> None:
    tally: Counter[tuple[str, str]] = Counter()
    for seed in range(GRAPHS):
        case = random_case(seed)
        if case is None:
            continue
        proof, dependence = case.proof(), judged(case)
        seen = "not run" if dependence is None else "mixed" if dependence > _ROUNDING else "apart"
        assert (proof.verdict, seen) != ("proven", "mixed"), (seed, case.body, case.shape)
        assert "does not fit it" not in proof.reason, (seed, case.body, proof.describe())
        tally[proof.verdict, seen] += 1
    assert tally["proven", "apart"] > GRAPHS / 5
    assert tally["refused", "mixed"] + tally["unproven", "mixed"] > GRAPHS / 5
