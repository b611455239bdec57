"""OpenVINO IR: a network as XML, and its weights in a .bin beside it; no package is needed here."""

import re
from pathlib import Path

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.models.kinds import Kind, ir_in, kind_of, refusal_of

_HEAD = 4096
_VERSION = re.compile(rb"<net\s[^>]*\bversion\s*=\s*[\"'](\d+)")
_READ = (b"10", b"11")


def is_ir(path: Path) -> bool:
    """Whether a file is OpenVINO IR, by its content."""
    return kind_of(path) is Kind.OPENVINO


def network_of(path: Path) -> Path:
    """The XML of a MODEL path: the file itself, or the one in the folder that optimum-intel and
    others write."""
    found = ir_in(path) if path.is_dir() else path
    if found is None:
        raise refusal_of(path, Kind.FOLDER)
    return found


def check_version(network: Path) -> None:
    """Raise InputError for IR of a version that OpenVINO no longer reads, which complains of it on
    stderr too; only the first element of the XML is looked at."""
    with network.open("rb") as file:
        found = _VERSION.search(file.read(_HEAD))
    if found and found[1] not in _READ:
        raise InputError(
            f"model {network} is OpenVINO IR of version {found[1].decode()}: expected 10 or 11; "
            "convert the model anew with OpenVINO 2022 or later, or give the ONNX file that it was "
            "converted from"
        )


def ir_files(network: Path) -> list[Path]:
    """The XML and the weights, in the order of the digest.

    Raises InputError where the weights are missing or stand for what was not fetched.
    """
    weights = network.with_suffix(".bin")
    if not weights.is_file():
        raise InputError(
            f"model {network} is OpenVINO IR and {weights.name} is missing beside it, which holds "
            "its weights: expected both files in one folder; copy it there too"
        )
    kind = kind_of(weights)
    if kind in (Kind.LFS_POINTER, Kind.HTML):
        raise refusal_of(weights, kind)
    return [network, weights]


def plain(error: object, most: int = 120) -> str:
    """What an error of OpenVINO says last, without its own source files and its summary."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(_FRAMES)]
    return one_line(said[-1] if said else error, most)


_FRAMES = ("Exception from", "Check '", "Summary:", "-- ")
