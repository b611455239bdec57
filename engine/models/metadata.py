"""What a model file says of itself in the metadata that `export` writes: read by its types.

Anyone may have written it. Nothing in it is run, imported or opened: it names and numbers things.
"""

import json
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.base.ranges import CLASSES, SIGMA
from smoothcert.engine.base.wording import is_name, shown


class _Network(msgspec.Struct):
    name: str
    sha256: str


class _Denoiser(_Network):
    sigma: float


class _Quantization(msgspec.Struct):
    target: str = "cpu"


class _Entries(msgspec.Struct):
    """What is read of a model's metadata, and its types; other entries are left alone."""

    arch: str | None = None
    dataset: str | None = None
    checkpoint_sha256: str | None = None
    num_classes: int | None = None
    precision: Literal["fp32", "fp16", "bf16", "int8", "fp8"] = "fp32"
    quantization: _Quantization | None = None
    denoiser: _Denoiser | None = None
    classifier: _Network | None = None
    adapted: dict[str, Any] | None = None
    said: list[str] | None = None
    inferred: dict[str, Any] | None = None


def metadata_of(path: Path, properties: dict[str, str]) -> dict[str, Any]:
    """What `export` recorded among an ONNX or OpenVINO file's properties; empty for a foreign
    model. Raises InputError, in one line, for what is no such record."""
    text = properties.get(METADATA_KEY)
    if text is None:
        return {}
    try:
        metadata = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise InputError(
            f"model {path} has {METADATA_KEY!r} metadata that is no JSON object: {shown(text, 80)}"
            "; export it again"
        )
    try:
        check_entries(metadata)
    except ValueError as error:
        raise InputError(
            f"model {path} has {METADATA_KEY!r} metadata that `smoothcert export` does not write "
            f"({one_line(error)}); export it again"
        ) from None
    return metadata


def check_entries(metadata: dict[str, Any]) -> None:
    """Raise ValueError where an entry is not of its type, out of its range, or no text that a
    manifest can hold."""
    try:
        json.dumps(metadata, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character, which no manifest can") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    found = msgspec.convert(metadata, _Entries)
    for name in (found.arch, found.dataset):
        if name is not None and not is_name(name):
            raise ValueError(f"{shown(name)} is no name that can be printed")
    if found.num_classes is not None:
        CLASSES.check(found.num_classes)
    if found.denoiser is not None:
        SIGMA.check(found.denoiser.sigma)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
