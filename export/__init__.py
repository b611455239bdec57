"""Checkpoints and architectures to ONNX: precision, metadata, parity.

The package is also the function `smoothcert.export`, whichever of the two was asked for first.
"""

import sys
from types import ModuleType
from typing import Any


class _Export(ModuleType):
    """A module that is called as api/exporting.py's function."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.__wrapped__(*args, **options)

    @property
    def __wrapped__(self) -> Any:  # for inspect.signature too
        from smoothcert.exporting import export

        return export


sys.modules[__name__].__class__ = _Export
