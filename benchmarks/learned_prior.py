"""A test by betting whose prior is learned from other images, as stopping thresholds.

In the manner of A. C. Cullen, P. Montague, B. I. P. Rubinstein, "Halt Fast! Early Stopping for
Certified Robustness", 2026 (arXiv 2606.27694), of which only the abstract was read: an e-process
whose prior a small network predicts for each image. Logs hold no pixels to predict from. So the
prior is learned here from the class probabilities of all other images, and priors that know the
image's own probability show what the best prediction could reach.

The e-process of a level p_g after m samples with k votes, for weights w on probabilities p_i > p_g:

    E(k, m) = sum_i w_i (p_i / p_g)^k ((1 - p_i) / (1 - p_g))^(m - k)

Why it holds: under a true probability p <= p_g the next sample multiplies a term, in expectation,
by p p_i / p_g + (1 - p) (1 - p_i) / (1 - p_g). That ascends with p, as p_i > p_g, and is 1 at p_g.
So every term, and with weights that were fixed before the image's votes every mixture of terms, is
a non-negative supermartingale that starts at 1, and by Ville's inequality ever reaches 1/alpha with
probability at most alpha. A wrong prior costs samples or certificates, never validity. Levels are
claimed in order, each at all of alpha: any false claim needs that of the first false level. Giving
up claims nothing, so it is free. The class under test is known beforehand.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numba
import numpy as np
import numpy.typing as npt
from scipy import special, stats

from smoothcert.engine.statistics.sequential import even_odds, futile_counts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OFFSETS = 0.004 * np.power(1.1, np.arange(78, dtype=np.float64))
"""A prior lives on Phi^-1(p_g) + OFFSETS. A bet on an offset that is wrong by a part x of the true
one costs about a part x^2 of the growth: between these points at most a quarter of a percent."""
FLOOR = 0.1
"""The part of a learned prior that is even over OFFSETS."""
SPREAD = 2.0
"""Standard deviation, in points, with which each image's offset is smeared."""


class Prior(Enum):
    """What the bets on an image know.

    BROAD      nothing: even over OFFSETS
    LEARNED    the probabilities of all other images
    KNOWN      the image's own probability p at the levels below p (the logarithm of no other bets'
               evidence grows faster in expectation), else as LEARNED
    KNOWN_END  besides, which levels p does not reach: they are given up at the first look
    """

    BROAD = auto()
    LEARNED = auto()
    KNOWN = auto()
    KNOWN_END = auto()


@dataclass(frozen=True)
class Rule:
    """looks  ascending numbers of samples
    beta   a level that would be certified at the last look with probability 1/2 is given up at a
           look with at most this probability, as in table mode
    last   the part of alpha that a Clopper-Pearson test has at the last look; the e-process has the
           rest
    """

    looks: tuple[int, ...]
    beta: float
    prior: Prior = Prior.LEARNED
    last: float = 0.0


def learned(z: Floats, z_g: float, floor: float = FLOOR) -> tuple[Floats, Ints]:
    """The priors above z_g that leave out one image each; z: Phi^-1(p), float64 [images].

    Returns float64 [priors, offsets], rows of sum 1, and which of them is for an image, int64
    [images]. Images of one offset share a prior: leaving out either leaves the same others.
    """
    bins = len(OFFSETS)
    steps = np.log(np.maximum(z - z_g, OFFSETS[0]) / OFFSETS[0]) / np.log(OFFSETS[1] / OFFSETS[0])
    place = np.where(z > z_g, np.minimum(np.rint(steps), bins - 1), bins).astype(np.int64)
    places, which = np.unique(place, return_inverse=True)
    counts = np.bincount(place, minlength=bins + 1)
    others = (counts - (places[:, None] == np.arange(bins + 1)))[:, :bins]
    total = others.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, others / np.maximum(total, 1), 1.0 / bins)
    points = np.arange(bins)
    kernel = np.exp(-0.5 * ((points[:, None] - points) / SPREAD) ** 2)
    kernel /= kernel.sum(axis=1, keepdims=True)
    return floor / bins + (1.0 - floor) * (shares @ kernel), which


@numba.njit(cache=True)
def _log_evidence(
    votes: int, misses: int, gain: Floats, loss: Floats, log_weights: Floats
) -> float:
    terms = log_weights + votes * gain + misses * loss
    most: float = terms.max()
    return most + math.log(np.exp(terms - most).sum())


@numba.njit(cache=True)
def _needed(
    looks: Ints, gain: Floats, loss: Floats, log_weights: Floats, log_threshold: float
) -> Ints:
    needed = np.empty((len(gain), len(looks)), np.int64)
    for a in range(len(gain)):
        votes, before = 1, 0  # of no samples: more than there are
        for j in range(len(looks)):
            # Each further sample raises what is needed by one vote or none.
            low, high = votes, votes + looks[j] - before
            while low < high:
                middle = (low + high) // 2
                misses = looks[j] - middle
                if _log_evidence(middle, misses, gain[a], loss[a], log_weights[a]) < log_threshold:
                    low = middle + 1
                else:
                    high = middle
            votes, before = low, looks[j]
            needed[a, j] = votes
    return needed


def thresholds(
    offsets: Floats, weights: Floats, z_g: float, looks: Sequence[int], alpha: float
) -> Ints:
    """The fewest votes with which E is at least 1/alpha, int64 [priors, looks]; one more than the
    samples where none are enough. weights: float64 [priors, points]; offsets: as they, or [points].
    """
    z = np.broadcast_to(z_g + offsets, weights.shape)
    gain = special.log_ndtr(z) - special.log_ndtr(z_g)
    loss = special.log_ndtr(-z) - special.log_ndtr(-z_g)
    return _needed(np.asarray(looks, np.int64), gain, loss, np.log(weights), -np.log(alpha))


def plan(rule: Rule, z: Floats, levels: Floats, alpha: float) -> tuple[Ints, Ints]:
    """The fewest votes that certify and the most that give up, (needed, futile), int64 [images,
    levels, looks]. z, levels: Phi^-1 of the probabilities of the images and of the levels."""
    both = [_level(rule, z, float(z_g), alpha) for z_g in levels]
    needed, futile = (np.stack(part, axis=1) for part in zip(*both, strict=True))
    return needed, futile


def _level(rule: Rule, z: Floats, z_g: float, alpha: float) -> tuple[Ints, Ints]:
    looks, betting = rule.looks, (1.0 - rule.last) * alpha
    weights, which = learned(z, z_g, 1.0 if rule.prior is Prior.BROAD else FLOOR)
    needed = thresholds(OFFSETS, weights, z_g, looks, betting)[which]
    known = (z > z_g) & (rule.prior in (Prior.KNOWN, Prior.KNOWN_END))
    if known.any():
        own = (z[known] - z_g)[:, None]
        needed[known] = thresholds(own, np.ones_like(own), z_g, looks, betting)
    if rule.last:
        # ppf is the fewest misses that are too many.
        misses = int(stats.binom.ppf(rule.last * alpha, looks[-1], special.ndtr(-z_g))) - 1
        needed[:, -1] = np.minimum(needed[:, -1], looks[-1] - misses)
    at_last, place = np.unique(needed[:, -1], return_inverse=True)
    futile = futile_counts(looks, even_odds(at_last, looks[-1]), rule.beta).T[place]
    if rule.prior is Prior.KNOWN_END:
        futile[z <= z_g] = looks
    return needed, futile


def replay(
    needed: Ints, futile: Ints, looks: Sequence[int], p: Floats, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Test the levels in order on each image's votes, until all are certified or one is given up.

    needed, futile: of plan; p: float64 [repeats, images]. Returns int64 [repeats, images]: levels
    certified, samples used, votes among them.
    """
    levels = needed.shape[1]
    image = np.broadcast_to(np.arange(p.shape[1]), p.shape).ravel()
    shares = p.ravel()
    passed, used, votes = np.zeros((3, p.size), np.int64)
    active = np.arange(p.size)
    for j, look in enumerate(looks):
        votes[active] += rng.binomial(look - used[active], shares[active])
        used[active] = look
        waiting = active
        while len(waiting):
            waiting = waiting[votes[waiting] >= needed[image[waiting], passed[waiting], j]]
            passed[waiting] += 1
            waiting = waiting[passed[waiting] < levels]
        active = active[passed[active] < levels]
        active = active[votes[active] > futile[image[active], passed[active], j]]
    return passed.reshape(p.shape), used.reshape(p.shape), votes.reshape(p.shape)
