"""The diagnosis of the paths that `smoothcert doctor` is given, each and together."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from smoothcert.cli.diagnosis.entry import Diagnosis
from smoothcert.cli.diagnosis.images import diagnose_images
from smoothcert.cli.diagnosis.images import next_steps as image_steps
from smoothcert.cli.diagnosis.log import diagnose_log
from smoothcert.cli.diagnosis.model import diagnose_model
from smoothcert.cli.diagnosis.model import next_steps as model_steps
from smoothcert.cli.diagnosis.roles import Role, role_of
from smoothcert.cli.diagnosis.together import diagnose_together
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.export.foreign.options import ModelOptions


def diagnose_paths(
    paths: Sequence[str], options: Mapping[str, Any]
) -> tuple[list[dict[str, str]], bool]:
    """What the paths are: {path, part, state, note} of every line; and whether all can be used.

    options  of models and sources, as certify takes them
    One model and each source, or each model and one source, are looked at together too. Raises
    InputError where a path does not exist or cannot be read at all.
    """
    of_model, of_source = ModelOptions.among(options), SourceOptions.among(options)
    roles = {path: role_of(path, of_source) for path in paths}
    models = [path for path, role in roles.items() if role is Role.MODEL]
    sources = [path for path, role in roles.items() if role is Role.IMAGES]
    pairs = [*product(models, sources)] if 1 in (len(models), len(sources)) else []
    images = {path: diagnose_images(path, of_source) for path in sources}
    shape = images[sources[0]].shape if pairs and len(sources) == 1 else None
    opened = {path: diagnose_model(path, of_model, shape) for path in models}
    found: dict[str, Diagnosis] = {}
    for path, role in roles.items():
        if role is Role.LOG:
            found[path] = diagnose_log(path)
        elif role is Role.MODEL:
            steps = () if pairs else model_steps(path, opened[path])
            found[path] = opened[path].followed_by(*steps)
        else:
            steps = () if pairs else image_steps(path, images[path])
            found[path] = images[path].followed_by(*steps)
    for model, source in pairs:
        both = diagnose_together(model, opened[model], source, images[source])
        found[f"{model} {source}"] = both
    entries = [
        {"path": path, **entry.to_json()}
        for path, diagnosis in found.items()
        for entry in diagnosis.entries
    ]
    return entries, all(diagnosis.usable for diagnosis in found.values())
