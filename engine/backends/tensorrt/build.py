"""From an ONNX classifier to a TensorRT plan with its record beside it."""

import hashlib
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from smoothcert.engine.backends.device.driver import Gpu, gpus, require_gpu, use
from smoothcert.engine.backends.tensorrt import rtx, timing_cache
from smoothcert.engine.backends.tensorrt.log import LogKeeper
from smoothcert.engine.backends.tensorrt.module import TensorRT, load_tensorrt
from smoothcert.engine.backends.tensorrt.monitor import BuildWatcher, Silent, StopRequest, monitor
from smoothcert.engine.backends.tensorrt.onnx_facts import OnnxFacts, read_onnx
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.backends.tensorrt.parse import NetworkFacts, parse_network
from smoothcert.engine.backends.tensorrt.plan import PlanRecord, record_path
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.models.model import COMPOSITE
from smoothcert.engine.models.row_independence.known import Known, known_of

_Result = TypeVar("_Result")
_LEVELS = {"ampere-plus": "AMPERE_PLUS", "same-capability": "SAME_COMPUTE_CAPABILITY"}
_ORIGIN = ("arch", "dataset", "checkpoint_sha256", *COMPOSITE)


def build_plan(
    path: Path,
    output: Path,
    options: BuildOptions,
    *,
    runtime: str | None = None,
    device: int = 0,
    watcher: BuildWatcher | None = None,
) -> PlanRecord:
    """Build an ONNX model into `output` and `output`.json; returns the record.

    runtime  a name of module.RUNTIMES; None takes full TensorRT where it is installed
    device   index of the GPU to build on; TensorRT for RTX builds without one for `targets`
    The engine is strongly typed (its precision is what the model says), has a static batch, and
    is one fixed function: it is certified as itself. The record keeps whether each row is proven to
    be one function of itself. Both files are private to the user. Raises InputError where the
    model, the options or this machine do not allow it, or where rows depend on each other or on
    chance; DeviceMemoryError where the device is too small for the batch; KeyboardInterrupt leaves
    nothing behind. The caller's current device stays what it is.
    """
    onnx = read_onnx(path)
    module = load_tensorrt(runtime, "building an engine")
    gpu = _gpu(module, options, device)
    start = time.monotonic()
    content, facts, known, figures = _stoppable(
        lambda stop: _build(module, gpu, onnx, options, watcher or Silent(), stop)
    )
    record = PlanRecord(
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        runtime=module.name,
        version=module.version,
        gpu=gpu.name if gpu else None,
        targets=options.targets or ((gpu.capability,) if gpu and not module.rtx else ()),
        compatibility=options.compatibility,
        version_compatible=options.version_compatible,
        batch=facts.batch,
        num_classes=facts.num_classes,
        spec=facts.spec,
        input_name=facts.input_name,
        input_scalar=facts.input_scalar,
        logits_name=facts.logits_name,
        logits_scalar=facts.logits_scalar,
        precision=facts.precision,
        tf32=options.tf32,
        model={
            "onnx_sha256": onnx.sha256,
            "onnx_name": onnx.path.name,
            **{key: onnx.metadata[key] for key in _ORIGIN if key in onnx.metadata},
            "row_independence": {"verdict": known.verdict, "reason": known.reason},
        },
        build={
            **options.describe(),
            **figures,
            "layers": facts.layers,
            "seconds": round(time.monotonic() - start, 2),
        },
    )
    _write(output, content, record)
    return record


def _write(output: Path, content: bytes, record: PlanRecord) -> None:
    # The plan first: a crash in between leaves a record that does not match, which is refused.
    try:
        write_atomically(output, content, 0o600)
        write_atomically(record_path(output), record.to_json().encode(), 0o600)
    except OSError as error:
        raise InputError(
            f"plan {output} cannot be written ({error.strerror}): expected a folder that you may "
            f"write to, with room for {len(content) / 1e6:,.1f} MB"
        ) from None


def _gpu(module: TensorRT, options: BuildOptions, device: int) -> Gpu | None:
    """The GPU to build on: full TensorRT measures there, TensorRT for RTX needs none."""
    if module.rtx:
        if options.compatibility != "none" or options.version_compatible:
            raise InputError(
                "compatibility with other GPUs or versions is full TensorRT's: for TensorRT for "
                "RTX give --target with all compute capabilities"
            )
        found = gpus()
        if options.targets or not found:
            return None
        return require_gpu(device, "building an engine")
    gpu = require_gpu(device, "building an engine with full TensorRT")
    for target in options.targets:
        if target != gpu.capability:
            raise InputError(
                f"target {target!r} is not this GPU, {gpu.name} ({gpu.capability}), and full "
                "TensorRT builds for the GPU it runs on: build there, or use --runtime tensorrt-rtx"
            )
    return gpu


def _stoppable(work: Callable[[StopRequest], _Result]) -> _Result:
    """Run work(stop) in a thread of its own: signals reach only a main thread that runs Python.

    What the work made is freed where it ends, also when it fails. Left to the garbage collector, a
    builder could be freed inside a log call of the next one, which holds a lock that both need.
    """
    stop = StopRequest()

    def run() -> _Result:
        try:
            return work(stop)
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)
            raise

    with ThreadPoolExecutor(1, "engine-build") as pool:
        future = pool.submit(run)
        try:
            return future.result()
        except BaseException:
            stop.asked = True
            raise


def _build(
    module: TensorRT,
    gpu: Gpu | None,
    onnx: OnnxFacts,
    options: BuildOptions,
    watcher: BuildWatcher,
    stop: StopRequest,
) -> tuple[bytes, NetworkFacts, Known, dict[str, Any]]:
    if gpu is not None:
        use(gpu)
    trt = module.trt
    log = LogKeeper(trt)

    def refused(reason: str) -> InputError:
        return InputError(f"model {onnx.path} cannot be built: {reason}")

    builder = log.ask(lambda: trt.Builder(log.logger), module.unusable)
    network = log.ask(lambda: builder.create_network(module.network_flags), refused)
    facts = parse_network(trt, log, network, onnx, options.batch)
    known = known_of(onnx.path, onnx.sha256, facts.spec.shape, facts.batch)
    config = log.ask(builder.create_builder_config, refused)
    progress = monitor(trt, watcher, stop)
    config.progress_monitor = progress
    _configure(module, config, options)
    timings = None if module.rtx or gpu is None else timing_cache.timing_path(module.version, gpu)
    if timings is not None:
        timing_cache.recall(config, timings)
    plan = log.ask(lambda: builder.build_serialized_network(network, config), refused)
    if timings is not None:
        timing_cache.remember(config, timings)
    content = bytes(plan)
    return content, facts, known, _inspect(module, gpu, log, content, options.version_compatible)


def _configure(module: TensorRT, config: Any, options: BuildOptions) -> None:
    trt = module.trt
    if options.optimization_level is not None:
        config.builder_optimization_level = options.optimization_level
    if options.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace * 2**20)
    if options.aux_streams is not None:
        config.max_aux_streams = options.aux_streams
    if options.compatibility != "none":
        level = getattr(trt.HardwareCompatibilityLevel, _LEVELS[options.compatibility])
        config.hardware_compatibility_level = level
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if module.rtx:
        rtx.require_user_allocation(trt, config)
        rtx.set_targets(trt, config, options.targets)


def _inspect(
    module: TensorRT, gpu: Gpu | None, log: LogKeeper, content: bytes, host_code: bool
) -> dict[str, Any]:
    """What only a loaded engine tells, so on its GPU only: layers after fusion, device memory."""
    if gpu is None:
        return {}
    runtime = module.start(log, host_code=host_code)  # it was built here, just now
    engine = log.ask(
        lambda: runtime.deserialize_cuda_engine(content),
        lambda reason: InputError(f"the engine that was built cannot be loaded: {reason}"),
    )
    return {
        "fused_layers": engine.num_layers,
        "device_memory": int(engine.device_memory_size_v2),
        "engine_aux_streams": engine.num_aux_streams,
    }
