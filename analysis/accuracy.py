"""What a log says about a smoothed classifier: certified accuracy and its companions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.log import Log
from smoothcert.engine.base.ranges import ALPHA, RHO

DEFAULT_RHO = 0.001

MEASURES = {True: "certified accuracy", False: "certified share, whatever the label"}
"""What certified_accuracy is called, of logs with labels and of logs without."""

LEAST_ALPHA = ALPHA.low
"""Certificates are given from here on (engine/statistics/bounds.py), which is loaded with scipy."""


def certified_accuracy(log: Log, radii: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The share of all rows that are correct with a radius of at least r, for each r of `radii`;
    without labels, of those that predict any class (Log.counted).

    Radii and r are compared as the decimals they are printed as: 0.5 counts at r = 0.5.
    """
    wanted = np.atleast_1d(np.asarray(radii, np.float64))
    certified = np.sort(log.radius[log.counted])
    return (len(certified) - np.searchsorted(certified, wanted, side="left")) / len(log)


def abstention_rate(log: Log) -> float:
    """The share of rows without a prediction."""
    return float(log.abstained.mean())


def average_certified_radius(log: Log) -> float:
    """The mean over all rows of the radius where it counts, 0 elsewhere (Zhai et al. 2020)."""
    return float(np.where(log.counted, log.radius, 0.0).mean())


def wrong_certificates(images: int, alpha: float, rho: float) -> int:
    """How many of `images` certificates may be wrong: more are, with probability at most rho.

    Each is wrong with probability at most alpha, independently (every image has noise of its
    own), so the number is stochastically at most Bin(images, alpha), whose exact quantile this
    is. Raises InputError for alpha or rho outside [LEAST_ALPHA, 1).
    """
    # Not at the top: it takes longer to load than most tables take to make.
    from scipy import special

    ALPHA.check(alpha)
    RHO.check(rho)
    wrong = 0
    # P[Bin > wrong] as an incomplete beta integral; the quantile is near images * alpha.
    while wrong < images and special.betainc(wrong + 1, images - wrong, alpha) > rho:
        wrong += 1
    return wrong


def high_probability_accuracy(
    log: Log, radii: npt.ArrayLike, alpha: float, rho: float = DEFAULT_RHO
) -> npt.NDArray[np.float64]:
    """A lower bound on the share of these images that truly are correct within r.

    With probability at least 1 - rho over the noise of the whole log, the smoothed classifier's
    certified accuracy on exactly these images is at least the result, at every r at once: a
    certificate that is not wrong holds at all smaller radii too. alpha bounds each row's failure.
    Without labels it bounds the share of images whose class, whatever it is, holds within r.

    The promise of Cohen et al. 2019 (appendix), with the exact binomial quantile of the number of
    wrong certificates in the place of a Bernstein bound on it. Which images have a row must not
    depend on the results: in a log that is still growing, of a procedure that stops early, it
    does. Never below 0. Errors as wrong_certificates.
    """
    wrong = wrong_certificates(len(log), alpha, rho)
    return np.maximum(certified_accuracy(log, radii) - wrong / len(log), 0.0)


@dataclass(frozen=True)
class Summary:
    """The single figures of a log: clean is certified accuracy at radius 0 (without labels, the
    share with a prediction)."""

    images: int
    clean: float
    abstained: float
    average_radius: float


def summarize(log: Log) -> Summary:
    """The single figures of a log."""
    return Summary(
        len(log),
        float(certified_accuracy(log, 0.0)[0]),
        abstention_rate(log),
        average_certified_radius(log),
    )
