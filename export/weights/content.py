"""From a checkpoint's file to its values; nothing of the file is run."""

import io
import pickle
import re
import tarfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.models.kinds import Kind, kind_of, refusal_of
from smoothcert.engine.models.model import check_file
from smoothcert.export.weights.foresight import check_pickle
from smoothcert.export.weights.unpickling import stand_ins

_MOST_GROWTH = 20
_SMALL = 1 << 26  # bytes
"""torch.save compresses nothing; an archive that grows more than this is made to fill memory."""

_ZIPPED = b"PK\x03\x04"
_LEGACY_PICKLES = 5
"""A file's before torch 1.6: a magic number, a version, the machine, the content and its keys."""

_DAMAGED = (Kind.PICKLE, Kind.ZIP, Kind.ZIP_CUT, Kind.UNKNOWN)
"""What may be a checkpoint that is damaged, or was not written by torch.save: its reader says."""


def read_content(path: Path) -> Any:
    """The values in a torch or safetensors checkpoint.

    What it is is told from its bytes. Raises InputError where it is something else (a TorchScript
    archive is a program, and none is run), is damaged, or needs code to load.
    """
    check_file(path, "checkpoint")
    kind = kind_of(path)
    if kind in (Kind.CHECKPOINT, Kind.LEGACY_CHECKPOINT):
        return _read_torch(path)
    if kind is Kind.SAFETENSORS or (kind in _DAMAGED and path.suffix == ".safetensors"):
        return _read_safetensors(path)
    if kind in _DAMAGED:
        return _read_torch(path)
    raise refusal_of(path, kind, "checkpoint")


def check_torch(path: Path) -> None:
    """Raise InputError for a torch checkpoint that asks for more than is in it, or for code: of its
    pickles only the instructions are looked at."""
    torch = require("torch", "export", f"reading checkpoint {path}")
    if tarfile.is_tarfile(path):
        # torch's format until 2017, of which torch before 2.6 runs what it is asked not to.
        raise refusal_of(path, Kind.TAR, "checkpoint")
    _check_size(path)
    with _refusing(path), path.open("rb") as file:
        _check_pickles(torch, file, path.stat().st_size)


def _read_torch(path: Path) -> Any:
    check_torch(path)
    torch = require("torch", "export", f"reading checkpoint {path}")
    with (
        _refusing(path),
        path.open("rb") as file,  # a path's suffix would decide how it is read
        warnings.catch_warnings(),
        torch.serialization.safe_globals(list(stand_ins())),
    ):
        warnings.simplefilter("ignore")  # of pickle protocols: refused below, or read
        return torch.load(file, map_location="cpu", weights_only=True)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Inside, a checkpoint is read; raises InputError for whatever fails there."""
    try:
        yield
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|global|class|function) '?([\w.]+)", str(error))
        reason = f"it wants {found[1]}" if found else "it is no plain pickle of tensors"
        raise InputError(
            f"checkpoint {path} needs code to load ({reason}), which is refused: expected tensors "
            "and plain values; save model.state_dict() from the code that wrote it"
        ) from None
    except Exception as error:  # damaged archives raise whatever their layer raises
        raise InputError(
            f"checkpoint {path} cannot be read ({_said(error)}): expected a whole torch checkpoint"
        ) from None


def _check_pickles(torch: Any, file: IO[bytes], length: int) -> None:
    """Raise pickle.UnpicklingError for a pickle of the file that asks for what is not in it.

    An archive is opened by torch's own reader, so that what is checked is what is read.
    """
    if file.read(len(_ZIPPED)) == _ZIPPED:
        file.seek(0)
        pickled = torch._C.PyTorchFileReader(file).get_record("data.pkl")
        check_pickle(io.BytesIO(pickled), length)
    else:
        file.seek(0)
        for _ in range(_LEGACY_PICKLES):
            check_pickle(file, length)


def _check_size(path: Path) -> None:
    """Raise InputError for an archive that is far larger unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # older, or damaged: torch says
        return
    if size > max(_SMALL, _MOST_GROWTH * path.stat().st_size):
        raise InputError(
            f"checkpoint {path} is {path.stat().st_size} bytes and {size} unpacked: expected a "
            "file as torch.save writes it, which compresses nothing; save it again"
        )


def _said(error: Exception) -> str:
    """Of a library's paragraph, what it says of the file."""
    text = re.sub(r"\[enforce fail at .*?\]\s*\.?", "", str(error))
    return one_line(text.partition("Exception raised from")[0] or type(error).__name__)


def _read_safetensors(path: Path) -> Any:
    safetensors = require("safetensors.torch", "export", f"reading checkpoint {path}")
    try:
        return safetensors.load_file(str(path))
    except Exception as error:
        reason = one_line(error)
        raise InputError(
            f"checkpoint {path} cannot be read ({reason}): expected a whole safetensors file"
        ) from None
