"""Would bounding the runner-up class separately certify larger radii on a real model?

python benchmarks/top_two.py MODEL SOURCE --sigma S [--n 10000] [--skip 10]

Per image the same votes are read twice. One-class: p_A bounded at alpha, p_B taken as 1 - p_A (what
smoothcert does). Two-class: p_A bounded below and p_B, the largest other class of the estimation
samples, above, each at alpha / 2, and radius = sigma / 2 (z(p_A) - z(p_B)); p_B's bound holds for
the largest class only through a union over the other classes, so alpha / 2 is shared among them.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import special

from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.statistics.bounds import certified_radius, failure_bound
from smoothcert.engine.statistics.procedures import Decision, SampleRange, Trial
from smoothcert.export.opening import open_model

ALPHA, N0 = 0.001, 100


class TwoReadings:
    """A procedure that keeps both radii of each image's votes, in units of sigma."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.max_samples = N0 + n
        self.rows: list[tuple[float, float, bool]] = []

    def trial(self, label: int | None = None) -> Trial:
        selection = yield SampleRange(Purpose.SELECTION, 0, N0)
        top = int(np.argmax(selection))
        votes = yield SampleRange(Purpose.ESTIMATION, 0, self.n)
        count = int(votes[top])
        one = certified_radius(count, self.n, ALPHA, 1.0)
        others = np.delete(votes, top)
        runner_up = int(others.max())
        lower = 1 - float(failure_bound(count, self.n, ALPHA / 2))
        # An upper bound on p after k of n is one on the failure of the other n - k.
        share = ALPHA / 2 / len(others)
        upper = float(failure_bound(self.n - runner_up, self.n, share))
        upper = min(upper, 1 - lower) if lower > 0.5 else upper
        two = max(0.0, (special.ndtri(lower) - special.ndtri(upper)) / 2)
        self.rows.append((one, two, top == label))
        return Decision(top, one, count, self.n, N0, N0 + self.n)

    def radius_of(self, count: int, n: int) -> float:
        return certified_radius(count, n, ALPHA, 1.0)

    def certifies(self, count: int, n: int) -> bool:
        return self.radius_of(count, n) > 0

    def describe(self) -> dict[str, object]:
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("source")
    parser.add_argument("--sigma", type=float, required=True)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--skip", type=int, default=10)
    options = parser.parse_args()
    model = open_model(options.model)
    source = open_source(options.source, model.spec, model.num_classes)
    backend = open_backend(model, LatticeGaussian(options.sigma), 0)
    procedure = TwoReadings(options.n)
    images = decoded_ahead(source, range(0, len(source), options.skip))
    list(Scheduler(backend, procedure).run(images))
    rows = np.array([row[:2] for row in procedure.rows]) * options.sigma
    correct = np.array([row[2] for row in procedure.rows])
    one, two = (rows * correct[:, None]).T
    print(f"{len(rows)} images, n = {options.n}, sigma = {options.sigma}")
    print(f"average certified radius: one class {one.mean():.4f}, two classes {two.mean():.4f}")
    print(f"larger with two: {(two > one).sum()}, smaller: {(two < one).sum()} of {correct.sum()}")


if __name__ == "__main__":
    main()
