"""What a procedure will draw for an image, told from the votes of a pilot."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from smoothcert.engine.statistics.procedures import Counts, Procedure
from smoothcert.engine.statistics.sample_plan import posterior
from smoothcert.engine.statistics.sequential import Floats

_Z = np.arange(-4.0, 6.0, 0.02)


def forecast_samples(
    procedure: Procedure, pilots: Sequence[tuple[int, Counts]], trials: int, seed: int = 0
) -> Floats:
    """The samples that trials of such images draw: float64 [pilots, trials].

    pilots  of each image its label, and the counts of its pilot, int64 [K]
    Each trial takes the probability of the pilot's first class from its posterior on a flat prior
    of Phi^-1(p), and lets the other classes share the rest as they share the pilot's votes; it is
    then the procedure's own.
    """
    rng = np.random.default_rng(seed)
    drawn = np.zeros((len(pilots), trials))
    for i, (label, counts) in enumerate(pilots):
        top = int(np.argmax(counts))
        chances = posterior(_Z, int(counts[top]), int(counts.sum()))
        rest = np.delete(counts, top) + 1e-3
        for j in range(trials):
            p = float(special.ndtr(rng.choice(_Z, p=chances)))
            shares = np.insert((1.0 - p) * rest / rest.sum(), top, p)
            drawn[i, j] = _drawn(procedure, label, shares / shares.sum(), rng)
    return drawn


def _drawn(procedure: Procedure, label: int, shares: Floats, rng: np.random.Generator) -> int:
    trial = procedure.trial(label)
    wanted = next(trial)
    while True:
        try:
            wanted = trial.send(rng.multinomial(wanted.count, shares))
        except StopIteration as end:
            return int(end.value.drawn)
