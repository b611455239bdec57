"""A folder of a Hugging Face model: whether it classifies images, and what it says of pixels."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.classifier import pixels_text
from smoothcert.cli.diagnosis.entry import Diagnosis, Entry, bytes_text, refused, sides_text, some
from smoothcert.engine.base.errors import InputError
from smoothcert.export.checkpoint_facts import Wishes
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.huggingface.model_folder import read_folder
from smoothcert.export.huggingface.preprocessing import spec_of

_OF_INPUT = ("input_shape", "mean", "std", "input_range", "resize", "interpolation")


def diagnose_transformers(path: Path, head: Entry, options: ModelOptions) -> Diagnosis:
    """What the folder's JSON files and weights are; nothing is loaded, no package is needed."""
    try:
        folder = read_folder(path)
    except InputError as error:
        return Diagnosis((head, refused(error)), False)
    names = [f"{file.name} ({bytes_text(file.stat().st_size)})" for file in folder.weights]
    labels = folder.config.get("id2label")
    found = [
        head,
        Entry("architecture", folder.architecture, f"of type {folder.config.get('model_type')}"),
        Entry("weights", f"{len(names)} files" if len(names) > 1 else "1 file", some(names)),
    ]
    if isinstance(labels, dict):
        found.append(Entry("classes", str(len(labels)), some(list(map(str, labels.values())))))
    given = {name: getattr(options, name) for name in _OF_INPUT}
    try:
        spec = spec_of(folder, Wishes(**given))
    except InputError as error:
        found.append(refused(error))
        side = re.search(r"--resize (\d+)", str(error))
        if side is None:
            return Diagnosis((*found, _export(path, _lacking(given, error))), True)
        given["resize"] = int(side[1])
        try:
            spec = spec_of(folder, Wishes(**given))
        except InputError as other:
            return Diagnosis((*found, refused(other)), False)
        note = "with it: the shorter side of a photograph becomes that, then a centre crop"
        found.append(Entry("option", commands.typed({"resize": given["resize"]}), note))
    found.append(Entry("takes", sides_text(spec.shape), "images, C x H x W"))
    where = "preprocessor_config.json" if folder.preprocessing is not None else "options"
    found.append(Entry("pixels", f"by {where}", pixels_text(spec)))
    return Diagnosis((*found, _export(path, given)), True)


def _export(path: Path, given: Mapping[str, Any]) -> Entry:
    return commands.export_alone({"arch": f"hf:{path}", **given})


def _lacking(given: Mapping[str, Any], error: InputError) -> dict[str, Any]:
    """The options given, and words in place of those that the refusal asks for."""
    asked = {"mean": "R,G,B", "std": "R,G,B", "resize": "S", "input_shape": "C,H,W"}
    named = {k: word for k, word in asked.items() if "--" + k.replace("_", "-") in str(error)}
    return named | {name: value for name, value in given.items() if value is not None}
