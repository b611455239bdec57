"""The runtimes of networks on the CPU, and which of them a run takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from smoothcert.engine.backends.base import AUTO, Network
from smoothcert.engine.backends.host.room import check_room, largest_batch
from smoothcert.engine.backends.host.speed import MOST, Speed, remembered_speed
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError, MissingPartError, require
from smoothcert.engine.base.failing import opening
from smoothcert.engine.base.machine import ONNXRUNTIMES, processor_name, version_of
from smoothcert.engine.base.onnx_runtime import import_onnxruntime
from smoothcert.engine.models.model import Model

_CLEARLY = 1.1


@dataclass(frozen=True)
class HostRuntime:
    """A runtime: what installs it, and how it opens a model.

    distributions  any of these brings the module `name`
    lowers_to      precisions that it can run an fp32 model in, when asked to
    open           (model, batch, precision, threads) -> Network
    """

    name: str
    distributions: tuple[str, ...]
    extra: str
    lowers_to: frozenset[str]
    open: Callable[[Model, int, str, int], Network]

    @property
    def version(self) -> str | None:
        """The installed version; None where it is missing."""
        return version_of(*self.distributions)

    def require(self) -> None:
        """Raise MissingPartError, naming the extra, where it is not installed."""
        get = import_onnxruntime if self.name == "onnxruntime" else partial(require, self.name)
        get(self.extra, f"backend {self.name}")

    def check(self, model: Model, precision: str) -> None:
        """Raise InputError where it cannot run the model in this precision."""
        if precision != model.precision and precision not in self.lowers_to:
            able = [runtime.name for runtime in HOST_RUNTIMES.values()
                    if precision in runtime.lowers_to]  # fmt: skip
            raise InputError(
                f"precision {precision} is not to be had from {self.name}, which runs model "
                f"{model.given} in its own {model.precision}: use --backend {' or '.join(able)}"
            )


def _onnxruntime(model: Model, batch: int, precision: str, threads: int) -> Network:
    from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork

    return OnnxRuntimeNetwork(model, batch, threads)


def _openvino(model: Model, batch: int, precision: str, threads: int) -> Network:
    from smoothcert.engine.backends.host.openvino_network import OpenVinoNetwork

    return OpenVinoNetwork(model, batch, precision, threads)


HOST_RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        HostRuntime("onnxruntime", ONNXRUNTIMES, "cpu", frozenset(), _onnxruntime),
        HostRuntime("openvino", ("openvino",), "openvino", frozenset({"bf16"}), _openvino),
    )
}
"""In the order of preference where speeds are equal."""


def precision_of_run(model: Model, asked: str | None) -> str:
    """The precision a model runs in: its own, or what was asked for.

    An fp32 model may be run in bf16 on demand; a model that was exported in another precision
    runs as it says, and so does every model where `auto` is asked for. Raises InputError for
    anything else.
    """
    if asked in (None, AUTO) or asked == model.precision:
        return model.precision
    if model.precision != "fp32":
        raise InputError(
            f"precision {asked} does not fit model {model.given}, which was exported in "
            f"{model.precision}: leave --precision out, or export the checkpoint anew"
        )
    if asked != "bf16":
        raise InputError(
            f"precision {asked} is no precision to run an fp32 model in on a CPU: expected fp32 or "
            f"bf16; `smoothcert export --precision {asked}` makes a model that has it"
        )
    return asked


def open_host_network(
    model: Model, backend: str, precision: str | None, batch: int | None, threads: int
) -> Network:
    """A network on the CPU; `auto` takes the runtime that runs this model fastest here.

    batch  None measures the fastest, once per model, runtime and machine
    Raises InputError for a backend, precision or batch that cannot be had.
    """
    wanted = precision_of_run(model, precision)
    batch = model.batch_for(batch)
    if backend == AUTO:
        runtime = _fastest(model, wanted)
    else:
        runtime = HOST_RUNTIMES[backend]
        runtime.check(model, wanted)
        runtime.require()
    if batch is None:
        batch = _speed(runtime, model, wanted, threads).batch
    return _opened(runtime, model, batch, wanted, threads)


def _fastest(model: Model, precision: str) -> HostRuntime:
    """Of the installed runtimes that can: the fastest, each at its best batch size on all cores.

    A later one in the list must be clearly faster. The choice does not depend on the batch and
    threads that are asked for, so that the workers and shards of a run on one machine agree.
    """
    able = [
        runtime
        for runtime in HOST_RUNTIMES.values()
        if precision == model.precision or precision in runtime.lowers_to
    ]
    installed = [runtime for runtime in able if runtime.version]
    if not installed:
        able[0].require()
        raise MissingPartError(f"backend {able[0].name} is not installed as a package")
    if len(installed) == 1:
        return installed[0]
    speeds: list[tuple[float, HostRuntime]] = []
    refusals: list[InputError] = []
    for runtime in installed:
        try:
            speed = _speed(runtime, model, precision, usable_cores())
        except InputError as refusal:
            refusals.append(refusal)
        else:
            speeds.append((speed.seconds_per_row, runtime))
    if not speeds:
        raise refusals[0]
    chosen_seconds, chosen = speeds[0]
    for seconds, runtime in speeds[1:]:
        if seconds * _CLEARLY < chosen_seconds:
            chosen_seconds, chosen = seconds, runtime
    return chosen


def _speed(runtime: HostRuntime, model: Model, precision: str, threads: int) -> Speed:
    identity: dict[str, object] = {
        "model": model.sha256,
        "runtime": f"{runtime.name} {runtime.version}",
        "precision": precision,
        "threads": threads,
        "processor": processor_name(),
    }
    fixed = model.batch if isinstance(model.batch, int) else None
    with opening(f"model {model.given}"):
        return remembered_speed(
            identity,
            lambda size: _opened(runtime, model, size, precision, threads),
            model.spec.num_pixels + model.num_classes,
            fixed,
            largest_batch(model.spec, model.num_classes, MOST),
        )


def _opened(
    runtime: HostRuntime, model: Model, batch: int, precision: str, threads: int
) -> Network:
    """The network, where there is room for its batch."""
    check_room(model.spec, model.num_classes, batch, f"model {model.given}")
    with opening(f"model {model.given}"):
        return runtime.open(model, batch, precision, threads)
