"""Class probabilities recovered from the certification logs of Cohen, Rosenfeld, Kolter 2019.

A logged radius is the print, to three significant digits, of sigma * Phi^-1 of the bound of k votes
in 100,000: it gives k up to a few counts. Two kinds of rows are modelled instead: all votes for
one class (p is above what 100,000 samples can tell) and abstentions (p is near or below 1/2).
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

LOGGED_N = 100_000


@dataclass(frozen=True)
class Log:
    """A published log: where it lies, its settings and the radii of its published table."""

    name: str
    path: str
    sigma: float
    alpha: float  # the one with which the printed radii are attainable
    radii: tuple[float, ...]


def _radii(step: float, count: int) -> tuple[float, ...]:
    return tuple(step * i for i in range(count))


LOGS = (
    Log("ImageNet .25", "imagenet/sigma_0.25.tsv", 0.25, 0.01, _radii(0.5, 2)),
    Log("ImageNet .50", "imagenet/sigma_0.50.tsv", 0.5, 0.01, _radii(0.5, 4)),
    Log("ImageNet 1.00", "imagenet/sigma_1.00.tsv", 1.0, 0.01, _radii(0.5, 7)),
    Log("CIFAR .12", "cifar10/sigma_0.12.tsv", 0.12, 0.001, _radii(0.25, 2)),
    Log("CIFAR .25", "cifar10/sigma_0.25.tsv", 0.25, 0.01, _radii(0.25, 4)),
    Log("CIFAR .50", "cifar10/sigma_0.50.tsv", 0.5, 0.01, _radii(0.25, 7)),
    Log("CIFAR 1.00", "cifar10/sigma_1.00.tsv", 1.0, 0.01, _radii(0.25, 7)),
)


@dataclass(frozen=True)
class Workload:
    """p, label_p: float64 [inputs], the probabilities of the top class and of the label;
    correct: bool [inputs], the two are the same class."""

    log: Log
    p: Floats
    label_p: Floats
    correct: npt.NDArray[np.bool_]


def load(log: Log, folder: Path, rng: np.random.Generator) -> Workload:
    """Recover a log's workload; `rng` places label probabilities of misclassified inputs."""
    with (folder / log.path).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    correct = np.array([row["correct"] == "1" for row in rows])
    abstained = np.array([row["predict"] == "-1" for row in rows])
    votes = _votes([float(row["radius"]) for row in rows], log)
    p = votes / LOGGED_N

    # All votes: failures log-uniform below one, as dense as among rows with 1 to 5 failures.
    failures = LOGGED_N - votes
    few = np.count_nonzero(~abstained & (failures > 0.5) & (failures < 5.5)) / np.log(11)
    censored = ~abstained & (failures < 0.5)
    below = (np.arange(np.count_nonzero(censored)) + 0.5) / max(few, 1.0)
    p[censored] = 1.0 - 0.5 * np.exp(-below) / LOGGED_N

    # Abstentions: uniform just below 1/2, as dense as in [.5, .6]; every other one is correct.
    density = np.count_nonzero(~abstained & (p < 0.6)) / 0.1
    p[abstained] = 0.5 - (np.arange(np.count_nonzero(abstained)) + 0.5) / density
    correct[abstained] = np.arange(np.count_nonzero(abstained)) % 2 == 0
    label_p = np.where(correct, p, rng.uniform(0.0, np.minimum(p, 1.0 - p)))
    return Workload(log, p, label_p, correct)


def _votes(printed: list[float], log: Log) -> Floats:
    """The middle of the counts whose radius prints as given."""
    counts = np.arange(LOGGED_N // 2, LOGGED_N + 1)
    bound = special.betainccinv(
        LOGGED_N - counts + 1.0, np.minimum(counts, LOGGED_N - 1), log.alpha
    )
    bound[-1] = -np.expm1(np.log(log.alpha) / LOGGED_N)
    radii = -log.sigma * special.ndtri(np.minimum(bound, 0.5))
    prints = np.array([float(f"{radius:.3}") for radius in radii])
    first = np.searchsorted(prints, printed, side="left")
    last = np.searchsorted(prints, printed, side="right") - 1
    missing = (first > last) & (np.asarray(printed) > 0.0)
    if missing.any():
        raise SystemExit(f"{log.path}: {np.count_nonzero(missing)} radii are not attainable")
    middle: Floats = (counts[first] + counts[last]) / 2
    return middle
