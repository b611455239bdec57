"""The certification engine: sources give images, noise disturbs them, backends vote, statistics
decides, the log keeps; run drives."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smoothcert.smooth import Smooth

__all__ = ["Smooth"]


def __getattr__(name: str) -> Any:
    # Smooth's place is `smoothcert`; scripts also know it here.
    if name == "Smooth":
        from smoothcert.smooth import Smooth

        return Smooth
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
