"""What only TensorRT for RTX has: compute capabilities as targets, validity, capture."""

from typing import Any

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt.module import TensorRT
from smoothcert.engine.base.errors import DeviceUnavailableError, InputError


def capabilities(trt: Any) -> list[str]:
    """The compute capabilities that this version builds for: "sm75", "sm80", ..."""
    members = trt.ComputeCapability.__members__
    return [name.lower() for name in members if name.startswith("SM")]


def require_capability(module: TensorRT, gpu: Gpu) -> None:
    """Raise DeviceUnavailableError for a GPU that this version has no kernels for: it would build
    an engine there, and refuse to run it."""
    known = capabilities(module.trt)
    if gpu.capability not in known:
        raise DeviceUnavailableError(
            f"TensorRT for RTX {module.version} does not run on {gpu.name} ({gpu.capability}): "
            f"expected one of {','.join(known)}; use full TensorRT"
        )


def set_targets(trt: Any, config: Any, targets: tuple[str, ...]) -> None:
    """Restrict a build to these compute capabilities; none leaves the runtime's portable default.

    Raises InputError for one that this version cannot build for.
    """
    known = capabilities(trt)
    for target in targets:
        if target not in known:
            raise InputError(
                f"target {target!r} is not one of TensorRT for RTX {trt.__version__}: expected "
                f"some of {','.join(known)}"
            )
    config.num_compute_capabilities = len(targets)
    for index, target in enumerate(targets):
        config.set_compute_capability(getattr(trt.ComputeCapability, target.upper()), index)


def require_user_allocation(trt: Any, config: Any) -> None:
    """Let no inference allocate, so that it can be captured; the build fails if it must."""
    config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)


def invalidity(trt: Any, runtime: Any, content: bytes) -> str:
    """Why the runtime cannot run a serialized engine on this GPU; empty where it can."""
    validity, diagnostics = runtime.get_engine_validity(content)
    if validity != trt.EngineValidity.INVALID:
        return ""
    members = trt.EngineInvalidityDiagnostics.__members__
    named = [name for name, bit in members.items() if int(bit) & int(diagnostics)]
    return ", ".join(named).lower().replace("_", " ") or "no diagnosis"


def specialise_eagerly(trt: Any, config: Any) -> None:
    """Compile a context's kernels when it gets its shapes, not during the first runs.

    `config` is an engine's runtime configuration. Kernels that change later would make the
    network another function, and a captured graph stale.
    """
    strategies = trt.DynamicShapesKernelSpecializationStrategy
    config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER


def is_capturable(context: Any, stream: int) -> bool:
    """Whether runs of this context on this stream may be recorded into a CUDA graph."""
    return bool(context.is_stream_capturable(stream))
