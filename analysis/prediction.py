"""PREDICT judged by a larger run: is what it says what the smoothed classifier says?

The table of Cohen et al. 2019 on how many samples a prediction takes: a prediction is correct where
it is the image's label, and accurate where it is the class that a log with more samples names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoothcert.analysis.log import Log
from smoothcert.analysis.table import all_labelled, distinct_names
from smoothcert.engine.base.errors import InputError

CLASSES = ("accurate", "inaccurate", "unjudged", "abstained")
"""In place of OUTCOMES where the logs have no labels: by the class alone."""

OUTCOMES = (
    "correct, accurate",
    "correct, inaccurate",
    "correct, unjudged",
    "incorrect, accurate",
    "incorrect, inaccurate",
    "incorrect, unjudged",
    "abstained",
)
"""Every image has one of these; a prediction is unjudged where the reference abstains."""


@dataclass(frozen=True)
class Judgement:
    """One log against the reference, on the `images` that both have.

    n         samples per image, where the manifest tells
    outcomes  number of images by each of OUTCOMES (without labels: CLASSES); they sum to `images`
    missing   images of the log that the reference has not (yet)
    said      what was inferred in reading the log
    """

    name: str
    n: int | None
    complete: bool
    images: int
    outcomes: dict[str, int]
    missing: int
    said: tuple[str, ...] = ()

    def share(self, outcome: str) -> float:
        """The part of the images with this outcome."""
        return self.outcomes[outcome] / self.images


@dataclass(frozen=True)
class PredictionTable:
    """Logs judged by one reference, which names a class for all but `undecided` of its images."""

    reference: str
    reference_n: int | None
    reference_complete: bool
    undecided: int
    rows: list[Judgement]
    labelled: bool = True
    said: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The names of the outcomes."""
        return OUTCOMES if self.labelled else CLASSES


def judge_predictions(logs: Sequence[Log], reference: Log) -> PredictionTable:
    """Judge each log's predictions by the classes that the reference names.

    Where the reference abstains there is nothing to judge by: a prediction is then unjudged, and
    counts as neither accurate nor inaccurate. An image on which the log abstains is an abstention
    whatever the reference says. Of an inaccurate prediction, the log or the reference is wrong
    (each with at most its own alpha).

    Raises InputError where the logs do not fit together: by their manifests another model, sigma
    or source, or no fewer samples than the reference's; other labels; no image in common; a log
    whose rows do not say which image they are of; some logs with labels and some without.

    Labels are compared where both have them. Of logs without, only the class is judged.
    """
    labelled = all_labelled(logs)
    *names, reference_name = distinct_names([*logs, reference])
    rows = [_judge(log, name, reference) for log, name in zip(logs, names, strict=True)]
    return PredictionTable(
        reference_name,
        _samples(reference),
        reference.complete,
        int(reference.abstained.sum()),
        rows,
        labelled,
        reference.said,
    )


def _judge(log: Log, name: str, reference: Log) -> Judgement:
    for either in (log, reference):
        if either.numbered:
            raise InputError(
                f"{either.path} has no column idx, which says what image a row is of: expected "
                "one to compare logs by"
            )
    _refuse_misfits(log, reference)
    _, mine, theirs = np.intersect1d(
        log.idx, reference.idx, assume_unique=True, return_indices=True
    )
    if not mine.size:
        raise InputError(
            f"{log.path} and {reference.path} have no image in common: expected a reference of the "
            "same images"
        )
    other = (log.label[mine] != reference.label[theirs]) & log.labelled & reference.labelled
    if other.any():
        at = int(np.argmax(other))
        raise InputError(
            f"image {log.idx[mine][at]} has label {log.label[mine][at]} in {log.path} and "
            f"{reference.label[theirs][at]} in {reference.path}: expected logs of the same images"
        )
    predict, truth = log.predict[mine], reference.predict[theirs]
    named = predict != -1
    if log.labelled:
        correct = log.correct[mine]
        kinds = {"correct, ": correct & named, "incorrect, ": ~correct & named}
    else:
        kinds = {"": named}
    outcomes = {}
    for word, rows in kinds.items():
        outcomes[f"{word}accurate"] = int((rows & (truth != -1) & (predict == truth)).sum())
        outcomes[f"{word}inaccurate"] = int((rows & (truth != -1) & (predict != truth)).sum())
        outcomes[f"{word}unjudged"] = int((rows & (truth == -1)).sum())
    outcomes["abstained"] = int((~named).sum())
    missing = len(log) - len(mine)
    return Judgement(name, _samples(log), log.complete, len(mine), outcomes, missing, log.said)


def _refuse_misfits(log: Log, reference: Log) -> None:
    for what, key in (("model", "sha256"), ("source", "digest")):
        mine, theirs = _digest(log, what, key), _digest(reference, what, key)
        if mine and theirs and mine != theirs:
            raise InputError(
                f"{log.path} is of another {what} ({key} {mine[:12]}) than {reference.path} "
                f"({theirs[:12]}): expected a reference of the same {what}"
            )
    if log.sigma is not None and reference.sigma is not None and log.sigma != reference.sigma:
        raise InputError(
            f"{log.path} has sigma {log.sigma:g} and {reference.path} {reference.sigma:g}: "
            "expected a reference of the same sigma"
        )
    n, more = _samples(log), _samples(reference)
    if n is not None and more is not None and n >= more:
        raise InputError(
            f"{reference.path} has n = {more} and cannot judge {log.path} with n = {n}: expected a "
            "reference with more samples"
        )


def _digest(log: Log, what: str, key: str) -> str | None:
    value: str | None = log.run.get(what, {}).get(key)
    return value


def _samples(log: Log) -> int | None:
    n: int | None = log.run.get("n")
    return n
