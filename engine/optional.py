"""Optional packages: imported where they are used, and named when they are missing."""

import importlib
from typing import Any

from smoothcert.engine.errors import MissingPartError


def require(module: str, extra: str, purpose: str) -> Any:
    """Import and return the optional package `module`.

    Raises MissingPartError, naming the `extra` of smoothcert that installs it, where it is absent.
    `purpose` completes the sentence "<purpose> needs <package>".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != top:
            raise
        raise MissingPartError(
            f"{purpose} needs the package {top}, which is not installed: "
            f"pip install 'smoothcert[{extra}]'"
        ) from None
