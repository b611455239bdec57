"""Whether images fit a model: labels, classes, sizes, and how many of them it gets right."""

from itertools import product
from pathlib import Path

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.entry import Diagnosis, Entry, inferred, sides_text
from smoothcert.cli.diagnosis.fit import Fit, Pairing, fit
from smoothcert.cli.diagnosis.images import ImagesDiagnosis, by_number
from smoothcert.cli.diagnosis.model import ModelDiagnosis
from smoothcert.cli.diagnosis.trial import compare_with_labels
from smoothcert.engine.sources.base import said_of

_MANY = 1000
_SAMPLE = 500


def diagnose_together(
    model_given: str, model: ModelDiagnosis, given: str, images: ImagesDiagnosis
) -> Diagnosis:
    """Whether the images at `given` fit the model at `model_given`, and the command to type."""
    models = [(way.opened, way.options) for way in model.ways]
    if model.model is not None:
        models = [(model.model, model.options)]
    if not models:
        note = "not decided: the model cannot be used as it stands; see its lines"
        return Diagnosis((Entry("fit", "missing", note),), model.usable and images.usable)
    pairings = [
        Pairing(Path(model_given), opened, of_model, given, of_source)
        for (opened, of_model), of_source in product(models, images.choices or (images.options,))
    ]
    if len(pairings) > 1:
        return _choose(model_given, given, pairings)
    found = fit(pairings[0])
    if found.source is None:
        return _unfitting(model_given, given, images, found)
    return _fitting(model_given, model, given, images, found)


def _unfitting(model_given: str, given: str, images: ImagesDiagnosis, found: Fit) -> Diagnosis:
    """Images that do not fit as they are given: why, and a list of classes where that is it."""
    known = {entry.note for entry in images.entries}
    entries = [entry for entry in found.entries if entry.note not in known]
    if not entries:
        note = "not decided: the images cannot be used as they stand; see their lines"
        return Diagnosis((Entry("fit", "missing", note),), False)
    refusals = [entry.note for entry in entries]
    more = by_number(
        given,
        refusals,
        lambda option: commands.doctor(
            model_given, given, options=found.pairing.options | dict(option)
        ),
        found.pairing.model.num_classes,
    )
    return Diagnosis((*entries, *more), bool(more))


def _fitting(
    model_given: str, model: ModelDiagnosis, given: str, images: ImagesDiagnosis, found: Fit
) -> Diagnosis:
    """Images that fit: what is inferred of the two, the model's answers, and the command."""
    source, opened = found.source, found.pairing.model
    assert source is not None
    told = {entry.note for entry in (*images.entries, *found.entries)}
    new = tuple(sentence for sentence in said_of(source) if sentence not in told)
    entries = [*found.entries, *inferred(new)]
    note = f"{len(source)} images of {sides_text(opened.spec.shape)}, labels within 0.."
    entries.append(Entry("fit", "yes", f"{note}{opened.num_classes - 1}"))
    if model.network is not None:
        entries += compare_with_labels(model.network, source, model.recorded)
    options = model.to_certify | found.pairing.options
    if len(source) > _MANY:
        options["sample"] = _SAMPLE
    entries.append(commands.certify(model_given, given, options))
    entries += by_number(
        given,
        said_of(source),
        lambda option: commands.certify(model_given, given, {**options, **option}),
        opened.num_classes,
    )
    return Diagnosis(tuple(entries), True)


def _choose(model_given: str, given: str, pairings: list[Pairing]) -> Diagnosis:
    """Of a model or source that opens in more than one way: the ways in which the two fit."""
    entries: list[Entry] = []
    ends: list[Entry] = []
    for pairing in pairings:
        with_it = f"with {commands.typed(pairing.options)}: "
        found = fit(pairing)
        if found.source is None:
            entries += [Entry("fit", "no", f"{with_it}{entry.note}") for entry in found.entries]
            continue
        entries.append(Entry("fit", "yes", f"{with_it}{len(found.source)} images"))
        ends.append(commands.doctor(model_given, given, options=found.pairing.options))
    return Diagnosis((*entries, *ends), bool(ends))
