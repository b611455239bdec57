"""Optional packages: imported where they are used, and named when they are missing."""

import importlib
from typing import Any

from smoothcert.engine.errors import MissingPartError


def require(module: str, extra: str | None, purpose: str) -> Any:
    """Import and return the optional package `module`.

    Raises MissingPartError where it is absent, naming the `extra` of smoothcert that installs it;
    None: no extra does, it is to be installed by its own name. `purpose` completes the sentence
    "<purpose> needs <package>".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != top:
            raise
        wanted = top if extra is None else f"'smoothcert[{extra}]'"
        raise MissingPartError(
            f"{purpose} needs the package {top}, which is not installed: pip install {wanted}"
        ) from None
