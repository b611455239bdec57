"""The upper envelope of several logs: at every radius the largest of their certified accuracies.

The figure by which Cohen et al. (2019) compare methods, each with a classifier per sigma. It is no
classifier's accuracy: which log counts is chosen radius by radius, after the results.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from smoothcert.analysis.accuracy import (
    DEFAULT_RHO,
    certified_accuracy,
    high_probability_accuracy,
)
from smoothcert.analysis.curve import Curve, certified_curve
from smoothcert.analysis.log import Log
from smoothcert.analysis.table import AccuracyTable, Envelope
from smoothcert.engine.base.errors import InputError

NAME = "upper envelope (no one classifier)"


def note(envelope: Envelope, logs: int) -> str:
    """What a reader of the envelope of so many logs must know."""
    words = (
        f"Upper envelope: at each radius the largest of the {logs} logs. No one classifier has "
        "it: the log that counts is chosen at each radius, after the results."
    )
    if envelope.lower is None:
        return words
    return (
        f"{words} Its lower bounds hold for all logs together (each at rho / {logs}): with "
        "probability 1 - rho, at every radius one of the classifiers has at least that."
    )


def with_envelope(
    table: AccuracyTable, logs: Sequence[Log], alpha: float | None = None, rho: float | None = None
) -> AccuracyTable:
    """The table (accuracy_table, of the same arguments) with the envelope of its logs; with lower
    bounds where the table has them. Raises InputError as check_comparable."""
    check_comparable(logs)
    levels = None
    if alpha is not None or rho is not None:
        levels = [log.alpha if alpha is None else alpha for log in logs]
    found = envelope_at(logs, table.radii, levels, DEFAULT_RHO if rho is None else rho)
    return replace(table, envelope=found)


def envelope_at(
    logs: Sequence[Log],
    radii: Sequence[float],
    alphas: Sequence[float | None] | None,
    rho: float,
) -> Envelope:
    """The envelope at these radii. Of several logs with the same accuracy the first counts; none
    does where nothing is certified.

    alphas  of each log the failure probability of a row, for lower bounds; None for no bounds, also
            for a single log

    With probability at least 1 - rho over the noise of all logs, however it depends, the largest
    true certified accuracy of these classifiers is at least the bound, at every radius at once:
    each log's bound fails with probability at most rho / k, of k logs.
    """
    accuracy = np.array([certified_accuracy(log, radii) for log in logs])
    first, largest = accuracy.argmax(axis=0), accuracy.max(axis=0)
    lower = None
    if alphas is not None and None not in alphas:
        share = rho / len(logs)
        bounds = [
            high_probability_accuracy(log, radii, alpha, share)
            for log, alpha in zip(logs, alphas, strict=True)
            if alpha is not None
        ]
        lower = np.max(bounds, axis=0).tolist()
    counts = [int(at) if high > 0 else None for at, high in zip(first, largest, strict=True)]
    return Envelope(largest.tolist(), counts, lower)


def envelope_curve(logs: Sequence[Log]) -> Curve:
    """The envelope of the logs' curves; where there are table-mode logs among them it is exact at
    the radii that all of those decide, and elsewhere a lower bound."""
    curves = [certified_curve(log) for log in logs]
    radii = np.unique(np.concatenate([curve.radii for curve in curves]))
    accuracy = np.max([_values(curve, radii) for curve in curves], axis=0)
    decided = None
    for curve in curves:
        if curve.decided is not None:
            decided = curve.decided if decided is None else np.intersect1d(decided, curve.decided)
    return Curve(radii, accuracy, decided)


def _values(curve: Curve, radii: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The curve at these radii; 0 beyond its last."""
    return np.append(curve.accuracy, 0.0)[np.searchsorted(curve.radii, radii, side="left")]


def check_comparable(logs: Sequence[Log]) -> None:
    """Raise InputError unless there are two logs or more, of certificates of the same images, with
    the same labels."""
    if len(logs) < 2:
        raise InputError(
            f"an upper envelope is of several logs, and there is but {logs[0].path}: expected at "
            "least two, such as those of several sigmas"
        )
    for log in logs:
        if not log.has_radii:
            raise InputError(
                f"{log.path} is a log of predict, which certifies no radius: expected logs of "
                "certify for an upper envelope"
            )
        if log.numbered:
            raise InputError(
                f"{log.path} has no column idx, which says what image a row is of: expected one "
                "for an upper envelope"
            )
    for log in logs[1:]:
        _check_same_images(logs[0], log)


def _check_same_images(first: Log, log: Log) -> None:
    expected = "expected logs of the same images for an upper envelope"
    if len(log) != len(first):
        raise InputError(
            f"{first.path} has {len(first)} images and {log.path} {len(log)}: {expected}; finish "
            "them, or certify the same --max, --skip and --sample"
        )
    one, other = np.argsort(first.idx), np.argsort(log.idx)
    different = first.idx[one] != log.idx[other]
    if different.any():
        at = int(np.argmax(different))
        mine, theirs = first.idx[one][at], log.idx[other][at]
        (index, with_it, without) = (mine, first, log) if mine < theirs else (theirs, log, first)
        raise InputError(
            f"image {index} is in {with_it.path} and not in {without.path}: {expected}"
        )
    different = first.label[one] != log.label[other]
    if different.any():
        at = int(np.argmax(different))
        raise InputError(
            f"image {first.idx[one][at]} has label {first.label[one][at]} in {first.path} and "
            f"{log.label[other][at]} in {log.path}: {expected}"
        )
    digests = [each.run.get("source", {}).get("digest") for each in (first, log)]
    if None not in digests and digests[0] != digests[1]:
        raise InputError(
            f"{first.path} and {log.path} are of two sources, by the digests in their manifests: "
            f"{expected}"
        )
