"""Which images a run certifies, where the options of a subset or the model itself decide it."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import differences, recorded_selection
from smoothcert.engine.run.certification import Watcher
from smoothcert.engine.run.clean import CleanPrediction, CleanPredictions, clean_compute
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources.base import FailedImage, ImageSource
from smoothcert.engine.sources.selecting.runs import Runs
from smoothcert.engine.sources.selecting.subset import Subset, is_unlabelled
from smoothcert.engine.sources.selection import Selection

_TOLD_EVERY = 1000
"""Clean predictions between two words on how far they are."""


@dataclass(frozen=True)
class CorrectImages:
    """The images among those tried whose clean prediction is their label.

    tried  how many were asked for: all, or as many as it took to find the number wanted
    """

    images: Runs
    tried: int


def selected(
    asked: Selection,
    subset: Subset,
    source: ImageSource,
    job: Job,
    log: Path,
    watcher: Watcher,
    *,
    on_cluster: bool = False,
) -> Selection:
    """What a run certifies: --skip, --max and --shard of `asked`, after the options of a subset.

    In this order: the images that --indices lists; of these the --sample; of these every skip-th;
    of these, with --only-correct, those that the base classifier classifies correctly without
    noise; of these the first `max`; of these a shard. First are the lowest indices, and of a sample
    those that were drawn first. So --max counts images that are certified, and with --only-correct
    the images after the last of them are not tried: `--sample 10000 --only-correct --max 500` are
    500 random ones of the correct images. All shards try the same images, which costs a prediction
    each, where a certificate takes thousands.

    An image that cannot be read has no clean prediction: where there is one, --only-correct
    refuses. A log that is resumed keeps what it chose, and tries nothing again. Raises InputError
    for options that do not fit the source or the log.
    """
    if subset.is_all:
        return asked
    recorded = recorded_selection(log) if subset.only_correct else None
    if recorded is not None:
        return _kept(asked, subset, log, recorded)
    eligible = subset.eligible(source)[:: asked.skip]
    how = subset.describe()
    if subset.only_correct:
        _check_labels(source)
        compute = clean_compute(job.compute, on_cluster=on_cluster)
        with CleanPredictions(job, compute) as clean:
            found = _correct_ones(clean, source, eligible, asked.limit, watcher)
            how["only_correct"] = only_correct(found.tried, len(found.images), clean)
        words = (
            f"{len(found.images)} of {found.tried} images are classified correctly without noise, "
            "and these are certified (--only-correct)"
        )
        watcher.event("inferred", {"of": source.describe()["name"], "what": words})
        eligible = found.images
    chosen = eligible[: asked.limit] if asked.limit >= 0 else eligible
    return replace(asked, chosen=Runs.of(chosen), how=how)


def only_correct(tried: int, correct: int, clean: CleanPredictions) -> dict[str, Any]:
    """What the manifest records of --only-correct."""
    return {"tried": tried, "correct": correct, **clean.describe()}


def _correct_ones(
    clean: CleanPredictions,
    source: ImageSource,
    indices: Sequence[int],
    most: int,
    watcher: Watcher,
) -> CorrectImages:
    """Those among the first of `indices`, until there are `most` (-1: all)."""
    correct: list[int] = []
    for prediction in _watched(clean.of(source, indices), len(indices), watcher):
        if prediction.correct:
            correct.append(prediction.index)
            if len(correct) == most:
                break
    # Of the images that were read ahead, those after the last one needed are not asked for.
    tried = indices.index(correct[-1]) + 1 if len(correct) == most else len(indices)
    _check_read(clean.failed, set(indices[:tried]))
    if not correct:
        raise InputError(
            f"no image is selected: of {tried} images the base classifier classifies none "
            "correctly without noise; expected --only-correct to leave some: do the labels belong "
            "to this model, and is its preprocessing (--mean, --std) the one it was trained with?"
        )
    return CorrectImages(Runs.of(correct), tried)


def _watched(
    predictions: Iterable[CleanPrediction], images: int, watcher: Watcher
) -> Iterable[CleanPrediction]:
    correct = 0
    for done, prediction in enumerate(predictions):
        if done % _TOLD_EVERY == 0:
            watcher.event("selecting", {"images": images, "done": done, "correct": correct})
        correct += prediction.correct
        yield prediction


def _check_read(images: Sequence[FailedImage], tried: Container[int]) -> None:
    if failed := [image for image in images if image.index in tried]:
        first = failed[0]
        raise InputError(
            f"{len(failed)} of the images that --only-correct is to choose from cannot be read, "
            f"the first being image {first.index}: {first.reason}; repair them, or leave them out "
            "with --indices"
        )


def _check_labels(source: ImageSource) -> None:
    if is_unlabelled(source.describe()):
        raise InputError(
            "only-correct needs labels, and the source is unlabelled: leave --only-correct out"
        )


def _kept(asked: Selection, subset: Subset, log: Path, recorded: dict[str, Any]) -> Selection:
    """The selection of a log that is resumed. Raises InputError where it is another than the one
    asked for, before anything is tried."""
    kept = {name: value for name, value in recorded.items() if name not in _OUTCOMES}
    found = differences(kept, {**asked.describe(), **subset.describe()}, "selection.")
    found += [f"selection has no {name} (log)" for name in _OUTCOMES if name not in recorded]
    if found:
        raise InputError(
            f"{log} was made by a different command: {'; '.join(found)}; choose another output, or "
            "the same options to resume"
        )
    return Selection.of_description(recorded)


_OUTCOMES = ("only_correct", "chosen")
