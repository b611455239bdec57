"""Certified accuracy as a function of the radius: a step function, exactly."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.accuracy import certified_accuracy
from smoothcert.analysis.log import Log
from smoothcert.analysis.table import check_radii

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
    """The curve of a log: it drops at the radius of every row that counts, and nowhere else.

    In table mode it drops at the radii the run decides only: a row's radius may lie above the one
    it decided, but by how much says when its samples were looked at, not how robust it is.
    Raises InputError where a table-mode manifest decides no radius, or one that is none.
    """
    if log.table_radii is None:
        radii = np.unique(np.append(log.radius[log.counted], 0.0))
        return Curve(radii, certified_accuracy(log, radii))
    decided = np.array(check_radii(log.table_radii))
    radii = np.unique(np.append(decided, 0.0))
    return Curve(radii, certified_accuracy(log, np.maximum(radii, decided[0])), decided)


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
