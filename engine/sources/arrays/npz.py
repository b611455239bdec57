"""An .npz file of images and labels, as numpy.savez writes it, under whatever names."""

import warnings
from pathlib import Path
from typing import Any

import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.arrays.naming import choose
from smoothcert.engine.sources.arrays.npy_header import NpyHeader
from smoothcert.engine.sources.arrays.open_arrays import open_arrays
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions

_ARCHIVE = "a numpy .npz file"
_FORM = f"expected {_ARCHIVE} with the arrays images and labels"
_SINGLE = b"\x93NUMPY"


def open_npz(
    path: Path,
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions = NOTHING_SAID,
) -> ArraySource:
    """The source of `images`, uint8 [N, H, W, C] or [N, H, W], and `labels`, integers [N]; or of
    other names and forms, as naming.choose and open_arrays find them.

    Pickled (object) arrays are refused, never loaded, and so are arrays that have no room in
    memory: a small file may hold a large one. Raises InputError.
    """
    options.refuse_unused(name, "an .npz file", "arrays", "classes")
    shown = printable(path)
    with open_regular(path, _ARCHIVE) as file:
        single = file.read(len(_SINGLE)) == _SINGLE
    if single:
        raise InputError(f"{shown}: holds a single array: {_FORM}; write it with numpy.savez")
    try:
        with open_regular(path, _ARCHIVE) as file, NpzFile(file, allow_pickle=False) as archive:
            headers = {array: _header(archive, array) for array in archive.files}
            shapes = {array: found.shape if found else () for array, found in headers.items()}
            chosen = choose(shapes, options, shown, _FORM)

            def load(array: str) -> npt.NDArray[Any]:
                header = headers[array]
                if header is None:
                    raise InputError(f"{shown}: its member {printable(array)} is no array: {_FORM}")
                header.check_fits(f"{shown}: its array {printable(array)}")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of a header that Python 2 wrote
                    found: npt.NDArray[Any] = archive[array]
                return found

            return open_arrays("npz", name, [path], chosen, load, spec, num_classes, options)
    except InputError:
        raise
    # A damaged zip, member or header surfaces as any of a dozen exceptions of zipfile, zlib, numpy.
    except Exception as error:
        reason = printable(one_line(error))
        raise InputError(f"{shown}: cannot be loaded ({reason}): {_FORM}, none pickled") from None


def _header(archive: NpzFile, array: str) -> NpyHeader | None:
    """What an array says of itself; None where a member is no array, or holds less than it says."""
    assert archive.zip is not None, "an archive that is open"
    try:
        member = archive.zip.getinfo(f"{array}.npy")
    except KeyError:
        return None
    with archive.zip.open(member) as stream:
        found = NpyHeader.read(stream)
    if found is not None and not found.dtype.hasobject:
        held = member.file_size - found.start
        if held < found.nbytes:
            raise ValueError(
                f"its array {array} has {held:,} bytes of data, its header says "
                f"{list(found.shape)} of {found.dtype}"
            )
    return found
