"""Certification: noise law, bounds, procedures, scheduler, backends, image sources, ledger."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smoothcert.engine.smooth import Smooth

__all__ = ["Smooth"]


def __getattr__(name: str) -> Any:
    # Imported on demand: `smoothcert --help` must not pay for numba.
    if name == "Smooth":
        from smoothcert.engine.smooth import Smooth

        return Smooth
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
