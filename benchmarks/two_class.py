"""What `--bound two-class` certifies more, or less, than the one-sided bound, on the same votes.

    python benchmarks/two_class.py FOLDER            the workloads of the published logs
    python benchmarks/two_class.py --log LOG...      logs of `certify --bound two-class`

FOLDER is that of samples.py. The published logs tell a class's probability p, and nothing of the
others: here one of them has the part `rest` of 1 - p, and the others next to none. Votes are drawn
at n = 100,000, alpha = .001. A log of a run is read again under either bound, at its own n.

Columns of a split give alpha_2, the runner-up's part of alpha. Prints Markdown; a minute.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from workloads import LOGS, Floats, load

from smoothcert.analysis.log import read_log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.statistics.bounds import certified_radius, failure_bound
from smoothcert.engine.statistics.class_bounds import (
    RUNNER_UP_SHARE,
    two_tails,
    two_tails_radius,
)

N, ALPHA = 100_000, 0.001
RESTS = (0.5, 0.7, 0.9, 1.0)
SPLITS = (0.01, 0.03, RUNNER_UP_SHARE, 0.2, 0.5)

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Votes:
    """Of images: int64 [images] votes for the class and for the largest other; bool, whether the
    class is the label."""

    count: Ints
    runner_up: Ints
    correct: Bools
    n: int
    alpha: float
    sigma: float

    def one_sided(self) -> tuple[float, float, float]:
        """Average certified radius; the share of images that are certified; and rightly."""
        radius = np.asarray(certified_radius(self.count, self.n, self.alpha, self.sigma))
        certified = np.asarray(failure_bound(self.count, self.n, self.alpha) < 0.5)
        return self._means(radius, certified)

    def two_class(self, split: float) -> tuple[float, float, float]:
        """The same, with the part `split` of alpha for the runner-up."""
        top, other = self.alpha * (1 - split), self.alpha * split
        tails = two_tails(self.count, self.runner_up, self.n, top, other)
        certified = np.asarray(tails[0] + tails[1] < 1.0)
        return self._means(two_tails_radius(*tails, self.sigma), certified)

    def _means(
        self, radius: Floats, certified: npt.NDArray[np.bool_]
    ) -> tuple[float, float, float]:
        right = certified & self.correct
        return float((radius * right).mean()), float(certified.mean()), float(right.mean())


def published(folder: Path, rest: float, seed: int, repeats: int = 20) -> dict[str, Votes]:
    """Votes of the published logs' inputs, some times each, by the log's name."""
    found = {}
    for log in LOGS:
        rng = np.random.default_rng(seed)
        workload = load(log, folder, rng)
        p = np.tile(workload.p, repeats)
        shares = np.stack([p, rest * (1 - p), (1 - rest) * (1 - p)], axis=1)
        counts = rng.multinomial(N, shares)
        # What `rest` leaves is many classes': none of them has as many votes as the runner-up.
        correct = np.tile(workload.correct, repeats)
        found[log.name] = Votes(counts[:, 0], counts[:, 1], correct, N, ALPHA, log.sigma)
    return found


def of_log(path: Path) -> Votes:
    """The votes of a two-class log."""
    log = read_log(path)
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    column = {name: [row[i] for row in lines[1:]] for i, name in enumerate(lines[0])}
    if "runner_up" not in column or log.alpha is None:
        raise InputError(f"{path} has no column runner_up: expected a log of --bound two-class")
    (n,) = set(column["n"])
    label = np.array(column["label"], np.int64)
    predict = np.array(column["predict"], np.int64)
    # Of an abstention the class is not logged: it may be the label.
    return Votes(
        np.array(column["count"], np.int64),
        np.array(column["runner_up"], np.int64),
        predict == label,
        int(n),
        log.alpha,
        float(log.run["sigma"]),
    )


def report(votes: dict[str, Votes]) -> str:
    """Markdown: both bounds' averages, and the gain at every split."""
    head = [
        "workload", "one-sided radius", "two-class radius", "gain", "certified", "rightly",
        *(f"gain at {split:g}" for split in SPLITS),
    ]  # fmt: skip
    lines = [_line(*head), "|" + "---|" * len(head)]
    for name, each in votes.items():
        radius, certified, right = each.one_sided()
        other, more, rightly = each.two_class(RUNNER_UP_SHARE)
        gains = [each.two_class(split)[0] / radius - 1 for split in SPLITS]
        lines.append(
            _line(
                name,
                f"{radius:.4f}",
                f"{other:.4f}",
                f"**{100 * (other / radius - 1):+.1f} %**",
                f"{certified:.3f} -> {more:.3f}",
                f"{right:.3f} -> {rightly:.3f}",
                *(f"{100 * gain:+.2f} %" for gain in gains),
            )
        )
    return "\n".join(lines)


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--log", type=Path, nargs="+", default=[])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        for rest in RESTS:
            print(f"\nOne other class has {rest:g} of the rest:\n")
            print(report(published(arguments.folder, rest, arguments.seed)))
    if arguments.log:
        print(report({log.name: of_log(log) for log in arguments.log}))


if __name__ == "__main__":
    main()
