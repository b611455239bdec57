"""What a model file is, what a run would take for granted of it, and what to type next."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.classifier import (
    describe_classifier,
    diagnose_rows,
    sigma_of_denoiser,
)
from smoothcert.cli.diagnosis.entry import Diagnosis, Entry, bytes_text, refused
from smoothcert.cli.diagnosis.graph import OnnxFacts, facts_of
from smoothcert.cli.diagnosis.mending import Mend, mends
from smoothcert.cli.diagnosis.model_options import Shape, describe_ways, values_to_try
from smoothcert.cli.diagnosis.transformers import diagnose_transformers
from smoothcert.cli.diagnosis.trial import try_out
from smoothcert.cli.diagnosis.weights import (
    describe_checkpoint,
    diagnose_weights,
    sigma_of,
)
from smoothcert.engine.backends.base import Network
from smoothcert.engine.backends.tensorrt.plan import is_plan
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.kinds import Kind, kind_of, refusal_of
from smoothcert.engine.models.model import Model
from smoothcert.export.checkpoint import read_checkpoint
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.opening import open_model


@dataclass(frozen=True)
class ModelDiagnosis(Diagnosis):
    """What is found of a model.

    options   with which it opens: those given, and those that a refusal asked for
    model     opened, with an open network where one runs it; None where it does not open
    recorded  whether it is said how pixels are normalised, by the file or the options
    ways      options with which it opens, where more than one choice of them does
    forced    other options of certify that it needs: the batch, device or level of noise that
              alone will do, the level of noise that it was trained at
    """

    options: ModelOptions
    model: Model | None = None
    network: Network | None = None
    recorded: bool = False
    ways: tuple[Mend[ModelOptions, Model], ...] = ()
    forced: tuple[tuple[str, Any], ...] = ()

    @property
    def to_certify(self) -> dict[str, Any]:
        """The options to certify it with."""
        return dict(self.forced) | self.options.given()


def diagnose_model(given: str, options: ModelOptions, shape: Shape | None = None) -> ModelDiagnosis:
    """What the file or folder at `given` is as a model.

    options  what the user says of it
    shape    of the images that it is to classify, C, H, W, where they are known
    """
    path = Path(given)
    kind = kind_of(path)
    size = bytes_text(path.stat().st_size) if path.is_file() else "a folder"
    head = Entry("model", kind.value, f"{path}, {size}")
    try:
        if kind is Kind.TRANSFORMERS_FOLDER:
            return _of(diagnose_transformers(path, head, options), options)
        if not kind.ours:
            raise refusal_of(path, kind)
        if kind.checkpoint:
            return _checkpoint(path, head, options, shape)
        facts = facts_of(path) if kind is Kind.ONNX else None
    except InputError as error:
        return ModelDiagnosis((head, refused(error)), False, options)
    entries = [head, *(facts.entries() if facts else ())]
    recorded = kind is Kind.PLAN or (facts is not None and (facts.recorded or facts.whole_pixels))
    return _opened(path, options, shape, facts, entries, recorded)


def next_steps(given: str, found: ModelDiagnosis) -> list[Entry]:
    """The commands to type, where no images are given: to look at some, to certify, to export."""
    together = commands.doctor(given, commands.SOURCE, options=found.options.given())
    if found.ways:
        return [together, *(commands.certify(given, options=w.options.given()) for w in found.ways)]
    if not found.usable or found.model is None:
        return []
    certify = commands.certify(given, options=found.to_certify)
    if not found.options.given() or found.forced:
        return [together, certify]
    return [together, certify, commands.export(given, found.options.given())]


def _of(found: Diagnosis, options: ModelOptions) -> ModelDiagnosis:
    return ModelDiagnosis(found.entries, found.usable, options)


def _checkpoint(
    path: Path, head: Entry, options: ModelOptions, shape: Shape | None
) -> ModelDiagnosis:
    """Weights: a model where the file says what network they are of, and for what input."""
    checkpoint = read_checkpoint(path)
    try:
        open_model(path, options)
    except InputError as error:
        return _of(diagnose_weights(path, head, checkpoint, error, shape), options)
    found = _opened(path, options, None, None, [head, *describe_checkpoint(checkpoint)], True)
    sigma = sigma_of(checkpoint)
    return replace(found, forced=(("sigma", sigma), *found.forced)) if sigma else found


def _opened(
    path: Path,
    options: ModelOptions,
    shape: Shape | None,
    facts: OnnxFacts | None,
    entries: list[Entry],
    recorded: bool,
) -> ModelDiagnosis:
    """The diagnosis of what can be opened, by further options where a refusal names them."""
    found = list(entries)
    try:
        model = open_model(path, options)
    except InputError as error:
        found.append(refused(error))
        ways = mends(partial(open_model, path), options, error, values_to_try(facts, shape))
        found += describe_ways(ways, options, facts)
        if len(ways) != 1:
            return ModelDiagnosis(tuple(found), bool(ways), options, ways=tuple(ways))
        options, model = ways[0].options, ways[0].opened
    recorded = recorded or options.normalises
    rows = diagnose_rows(model)
    found += [*describe_classifier(model, recorded), *rows.entries]
    if not rows.usable:
        return ModelDiagnosis(tuple(found), False, options, recorded=recorded)
    if is_plan(model.path):
        found.append(Entry("runs on", "a GPU", "the kind it was built for; nothing was run here"))
        forced: tuple[tuple[str, Any], ...] = (("device", "cuda:0"),)
        return ModelDiagnosis(tuple(found), True, options, model, None, True, forced=forced)
    trial = try_out(model)
    found += trial.entries
    needs = {"sigma": sigma_of_denoiser(model), "batch": rows.batch}
    forced = tuple((name, value) for name, value in needs.items() if value is not None)
    usable = trial.network is not None
    return ModelDiagnosis(
        tuple(found), usable, options, model, trial.network, recorded, forced=forced
    )
