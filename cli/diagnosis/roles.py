"""What a path is to smoothcert: a model, images or a log."""

import json
from enum import Enum
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.kinds import Kind, kind_of
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.patterns import expand


class Role(Enum):
    """What a path is given for."""

    MODEL = "model"
    IMAGES = "images"
    LOG = "log"


_IMAGES = (Kind.ARRAYS, Kind.PARQUET, Kind.IMAGE, Kind.TAR, Kind.FOLDER)
_EITHER = (Kind.COMPRESSED, Kind.ZIP, Kind.PICKLE, Kind.UNKNOWN, Kind.TEXT, Kind.LIBRARY)
"""Kinds of files that images come in as well: those where open_source takes them."""
_MODEL_SUFFIXES = (".onnx", ".pth", ".pt", ".ckpt", ".bin", ".pkl", ".pickle", ".safetensors",
                   ".engine", ".plan", ".h5", ".pb", ".keras", ".model")  # fmt: skip
_LOG_COLUMNS = ("predict", "radius", "correct")


def role_of(given: str, options: SourceOptions) -> Role:
    """What `given` is, a path or a pattern of archives; `options` say what a source does not.

    Raises InputError where it does not exist or cannot be read.
    """
    expand(given)  # raises where nothing is there
    path = Path(given)
    try:
        if not path.exists():
            return Role.IMAGES  # a pattern
        if not (path.is_dir() or path.is_file()):
            raise InputError(f"{path} is no file and no folder: expected a model, images or a log")
        kind = kind_of(path)
        if is_log(path, kind):
            return Role.LOG
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): expected a model, images or a "
            "log; check its permissions"
        ) from None
    if kind in _IMAGES:
        return Role.IMAGES
    if kind not in _EITHER:
        return Role.MODEL
    if kind is Kind.TEXT:
        return Role.IMAGES
    try:
        open_source(given, None, None, options)
    except InputError:
        return Role.MODEL if path.suffix.lower() in _MODEL_SUFFIXES else Role.IMAGES
    return Role.IMAGES


def is_log(path: Path, kind: Kind) -> bool:
    """Whether a file is a log of certificates or predictions, or the manifest of one."""
    if kind is Kind.JSON:
        return is_manifest(path)
    if kind is Kind.EMPTY:
        return path.suffix in (".tsv", ".txt")
    if kind is not Kind.TEXT:
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline(1000)
    return path.suffix == ".tsv" or ("\t" in header and any(c in header for c in _LOG_COLUMNS))


def is_manifest(path: Path) -> bool:
    """Whether a JSON file describes a run."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and isinstance(manifest.get("run"), dict)
