"""`pkg.module:factory`: functions of the user's that make a network."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line

# A script that runs as it is imported or called may end, too.
_WHATEVER_IT_RAISES = (Exception, SystemExit)


def factory_at(name: str, what: str, otherwise: str = "") -> Any:
    """The function at `pkg.module:factory`, which may lie in a class or an object.

    what       such as "architecture", for messages
    otherwise  what else a user could have meant
    Raises InputError where it cannot be imported or called.
    """
    module, _, entry = name.partition(":")
    factory: Any
    try:
        factory = importlib.import_module(module)
        for part in entry.split("."):
            factory = getattr(factory, part)
    except _WHATEVER_IT_RAISES as error:
        raise InputError(
            f"{what} {name!r} cannot be imported ({one_line(error)}): expected "
            f"pkg.module:factory on the Python path{otherwise}; for one in this folder set "
            "PYTHONPATH=."
        ) from None
    if not callable(factory):
        raise InputError(f"{what} {name!r} is a {type(factory).__name__}: expected a factory")
    return factory


def made(factory: Any, name: str, what: str, advice: str, *arguments: Any, **named: Any) -> Any:
    """What a factory makes; raises InputError, with advice, where it fails."""
    try:
        return factory(*arguments, **named)
    except _WHATEVER_IT_RAISES as error:
        raise InputError(
            f"{what} {name!r} cannot be made ({type(error).__name__}: {one_line(error)}): {advice}"
        ) from None


def check_module(found: Any, name: str, what: str) -> Any:
    """The module that was made; raises InputError for anything else."""
    from torch import nn

    if not isinstance(found, nn.Module):
        raise InputError(
            f"{what} {name!r} made a {type(found).__name__}: expected a torch.nn.Module"
        )
    return found


def parameters_of(function: Any) -> Mapping[str, inspect.Parameter]:
    """What a function takes, by name; nothing where Python does not know."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
