"""Certified accuracy as a function of the radius: a step function, exactly."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.accuracy import certified_accuracy
from smoothcert.analysis.log import Log

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The certified accuracy of a log at every radius.

    radii     float64 [k], ascending from 0, each once: where the curve drops, and where it starts
    accuracy  float64 [k]: accuracy[i] holds at radii[i] and back to radii[i - 1], itself excluded
              (a certificate counts at its own radius)
    decided   float64 [m]: the only radii that a table-mode log decides, between which the curve is
              a lower bound; None for other logs

    Beyond radii[-1] nothing is certified.
    """

    radii: Floats
    accuracy: Floats
    decided: Floats | None = None


def certified_curve(log: Log) -> Curve:
    """The curve of a log: it drops at the radius of every correct row, and nowhere else."""
    decided = None if log.table_radii is None else np.array(log.table_radii, np.float64)
    certified = log.radius[log.correct]
    radii = np.unique(np.concatenate([[0.0], certified, [] if decided is None else decided]))
    return Curve(radii, certified_accuracy(log, radii), decided)


def drawn_steps(curve: Curve, accuracy: Floats | None = None) -> tuple[Floats, Floats]:
    """The corners of the curve as x and y, float64 [2 k] or [2 k - 1]: straight lines between
    them, along an axis each, are the step function.

    accuracy  other values at curve.radii (a bound), float64 [k]

    The line ends on the axis. In table mode it ends at the last decided radius, at its height:
    what lies beyond was not asked.
    """
    y = curve.accuracy if accuracy is None else accuracy
    x = np.repeat(curve.radii, 2)[: None if curve.decided is None else -1]
    return x, np.append(np.repeat(y, 2)[1:], 0.0)[: len(x)]
