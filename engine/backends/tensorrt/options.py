"""The settings of an engine build, and what is filled in where they are left open."""

from dataclasses import asdict, dataclass
from typing import Any

from smoothcert.engine.backends.tensorrt.plan import COMPATIBILITY
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import AUX_STREAMS, BATCH, OPTIMIZATION_LEVEL, WORKSPACE


@dataclass(frozen=True)
class BuildOptions:
    """How to build; None leaves a value to default_batch or to the runtime.

    targets             compute capabilities ("sm90"); of another machine's GPU with TensorRT for
                        RTX only
    optimization_level  0..5: how long to search for faster kernels
    workspace           MiB of device memory that layers may use for scratch
    aux_streams         streams beside the main one that branches of the network may run on
    compatibility       of plan.COMPATIBILITY: which other GPUs may run it
    version_compatible  whether later versions of the runtime may run it
    tf32                whether float32 products may be rounded to TF32, as on GPUs is usual
    """

    batch: int | None = None
    targets: tuple[str, ...] = ()
    optimization_level: int | None = None
    workspace: int | None = None
    aux_streams: int | None = None
    compatibility: str = "none"
    version_compatible: bool = False
    tf32: bool = True

    def __post_init__(self) -> None:
        """Refuse what no builder takes."""
        for bounds, value in (
            (BATCH, self.batch),
            (OPTIMIZATION_LEVEL, self.optimization_level),
            (WORKSPACE, self.workspace),
            (AUX_STREAMS, self.aux_streams),
        ):
            if value is not None:
                bounds.check(value)
        if self.compatibility not in COMPATIBILITY:
            raise InputError(
                f"compatibility {self.compatibility!r} is unknown: expected one of "
                f"{', '.join(COMPATIBILITY)}"
            )

    def describe(self) -> dict[str, Any]:
        """JSON-serialisable, for the plan's record and the cache's key."""
        given = {**asdict(self), "targets": list(self.targets)}
        return {name: value for name, value in given.items() if value is not None}
