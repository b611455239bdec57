"""What a path is to smoothcert: a model, images or a log."""

import json
import os
import re
from enum import Enum
from pathlib import Path

from smoothcert.analysis.reading.layout import looks_like_a_log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import open_regular, read_regular
from smoothcert.engine.base.wording import printable
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
    path = Path(given)
    try:
        if not (given and os.path.exists(given)):  # noqa: PTH110
            _check_pattern(given)
            return Role.IMAGES
        if not (path.is_dir() or path.is_file()):
            raise InputError(
                f"{printable(path)} is no file and no folder: expected a model, images or a log"
            )
        kind = kind_of(path)
        if is_log(path, kind):
            return Role.LOG
    except OSError as error:
        raise InputError(
            f"{printable(path)} cannot be read ({error.strerror or error}): expected a model, "
            "images or a "
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


def _check_pattern(given: str) -> None:
    """Raise InputError where `given`, which is no path, is no pattern of files either."""
    shown = printable(given) or "an empty name"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", given):
        raise InputError(
            f"{shown} is an address, and nothing is downloaded: expected a file or folder of this "
            "machine; download it, and give what came"
        )
    if not set("*?[{") & set(given):
        raise InputError(
            f"{shown} does not exist: expected a model, images or a log; check the path"
        )
    expand(given)


def is_log(path: Path, kind: Kind) -> bool:
    """Whether a file is a log of certificates or predictions, or the manifest of one."""
    if kind is Kind.JSON:
        log = path.with_suffix("")
        return is_manifest(path) or (log.suffix == ".tsv" and log.is_file())
    if kind is Kind.EMPTY:
        return path.suffix in (".tsv", ".txt")
    if kind not in (Kind.TEXT, Kind.UNKNOWN):  # UTF-16 is text too
        return False
    if looks_like_a_log(path):
        return True
    with open_regular(path, "a log") as file:
        header = file.readline(1000).decode("utf-8", "replace")
    return path.suffix == ".tsv" or ("\t" in header and any(c in header for c in _LOG_COLUMNS))


def is_manifest(path: Path) -> bool:
    """Whether a JSON file describes a run."""
    try:
        manifest = json.loads(read_regular(path, "a manifest"))
    except (InputError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and isinstance(manifest.get("run"), dict)
