"""The selection of a run under audit: drawn again, predicted again, held against the log's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown
from smoothcert.engine.run.audit_manifest import LoggedRun
from smoothcert.engine.run.clean import CleanPredictions
from smoothcert.engine.run.execution import Job
from smoothcert.engine.run.repeating import tolerated
from smoothcert.engine.run.selecting import only_correct
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.selecting.index_file import IndexFile
from smoothcert.engine.sources.selecting.runs import Runs
from smoothcert.engine.sources.selecting.subset import Subset
from smoothcert.engine.sources.selection import Selection

_HINT = "; within the tolerance for another machine, which --another-machine allows"


@dataclass(frozen=True)
class Reselected:
    """What an auditor finds to be selected.

    selection  as a run of his own would record it
    findings   what is wrong with the log's
    remarks    what he could not recompute
    """

    selection: Selection
    findings: Sequence[str] = ()
    remarks: tuple[str, ...] = ()


def reselected(
    logged: LoggedRun,
    job: Job,
    source: ImageSource,
    indices: IndexFile | None,
    *,
    another_machine: bool,
) -> Reselected:
    """The selection of a log's run, recomputed as far as what is given tells it.

    indices          the file of --indices; without it the manifest's word is taken for what it
                     lists, and for what was drawn of that
    another_machine  clean predictions may turn, of as large a share of the images as of votes
    Raises InputError where the file is another than the log's.
    """
    entries, chosen = logged.run["selection"], logged.selection.chosen or Runs(())
    _check_file(indices, entries)
    plain = replace(logged.selection, chosen=None, how={})
    unseen = "indices" in entries and indices is None
    try:
        subset = Subset.of_description(entries, indices)
        if subset.is_all and not unseen:
            return Reselected(plain)
        eligible = chosen if unseen else subset.eligible(source)[:: plain.skip]
    except InputError as error:
        return Reselected(logged.selection, [f"manifest: selection: {error}"])
    how = subset.describe()
    remarks: list[str] = []
    findings: list[str] = []
    if unseen:
        how["indices"] = entries["indices"]
        name = shown(entries["indices"]["name"])
        remarks.append(f"what the file {name} lists is the manifest's word: --indices checks it")
    if subset.only_correct:
        outcome = entries["only_correct"]
        with CleanPredictions(job, _compute(logged, outcome)) as clean:
            how["only_correct"] = only_correct(outcome["tried"], len(chosen), clean)
            tried = eligible[: outcome["tried"]]
            findings += _wrong_by_prediction(clean, source, tried, chosen, another_machine)
        if not unseen:
            findings += _wrong_by_number(plain, eligible, outcome["tried"], chosen)
    elif not unseen:
        chosen = Runs.of(eligible[: plain.limit] if plain.limit >= 0 else eligible)
    return Reselected(replace(plain, chosen=chosen, how=how), findings, tuple(remarks))


def _check_file(indices: IndexFile | None, entries: Mapping[str, Any]) -> None:
    if indices is None:
        return
    if "indices" not in entries:
        raise InputError(f"indices {indices.path} is of a run without --indices: leave it out")
    sha256 = entries["indices"]["sha256"]
    if indices.sha256 != sha256:
        raise InputError(
            f"indices {indices.path} is not the log's: sha256 {indices.sha256[:16]}... against "
            f"{shown(sha256)[1:17]}... in the manifest"
        )


def _compute(logged: LoggedRun, outcome: Mapping[str, Any]) -> Compute:
    """How the run computed its clean predictions."""
    return Compute(
        backend=outcome["backend"],
        device=outcome["device"],
        precision=outcome["precision"],
        batch=1 if logged.one_row else None,
    )


def _wrong_by_prediction(
    clean: CleanPredictions,
    source: ImageSource,
    tried: Sequence[int],
    chosen: Runs,
    another_machine: bool,
) -> Iterator[str]:
    """What is wrong with the choice from the images tried, by what is predicted here."""
    wrong = [each for each in clean.of(source, tried) if each.correct != (each.index in chosen)]
    for image in clean.failed:
        yield f"image {image.index}: was tried, and cannot be read ({image.reason})"
    few = len(wrong) <= tolerated(len(tried))
    if not wrong or (few and another_machine):
        return
    first = wrong[0]
    yield (
        f"manifest: selection.chosen is not what clean predictions choose: {len(wrong)} of "
        f"{len(tried)} images (image {first.index}: predict {first.predict}, label {first.label}, "
        f"{'not ' if first.correct else ''}chosen){_HINT if few else ''}"
    )


def _wrong_by_number(
    plain: Selection, eligible: Sequence[int], number: int, chosen: Runs
) -> Iterator[str]:
    """What is wrong with how many of the eligible images were tried, whatever was predicted."""
    if number > len(eligible):
        yield f"manifest: selection.only_correct.tried {number} of {len(eligible)} images"
    tried = eligible[:number]
    among = frozenset(tried)
    if strays := [index for index in chosen if index not in among]:
        yield (
            f"manifest: selection.chosen has {len(strays)} images that were not to be tried "
            f"(image {strays[0]})"
        )
    full = plain.limit >= 0 and len(chosen) >= plain.limit
    if full and len(chosen) > plain.limit:
        yield f"manifest: selection.chosen has {len(chosen)} images where max is {plain.limit}"
    ends_with_it = full and bool(tried) and tried[-1] in chosen
    if number < len(eligible) and not ends_with_it:
        yield (
            f"manifest: selection.only_correct.tried {number} where {len(eligible)} images were to "
            "be tried"
        )
    if full and not ends_with_it:
        yield "manifest: selection.only_correct.tried goes on after the last image of max"
