"""Sessions of ONNX Runtime that are bound to given buffers, all of the network on one provider."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.device.cuda_libraries import no_provider
from smoothcert.engine.base.errors import (
    DeviceMemoryError,
    DeviceUnavailableError,
    InputError,
    one_line,
)
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.unloadable import refusal

CPU_PROVIDER = "CPUExecutionProvider"

_ON_CPU = "fallback to CPU EP has been explicitly disabled"
_NO_ROOM = re.compile(
    r"failed to allocate memory|out of memory|bad allocation|std::bad_alloc|_ALLOC(ATION)?_FAILED"
    r"|BFCArena|CUDA (error|failure) 2\b",
    re.IGNORECASE,
)
"""What ONNX Runtime's arena, CUDA, cuBLAS and cuDNN say through it."""
_DEVICE = re.compile(r"\b(CUDA|CUDNN|CUBLAS)\w* (failure|error) -?\d+: [^;]*")
_SETTING = re.compile(r'(Unknown|Failed to parse) provider option:? "\w+"')


def no_room(error: object, batch: int) -> DeviceMemoryError | None:
    """What is said where an error of ONNX Runtime means that memory is out; else None."""
    if not _NO_ROOM.search(str(error)):
        return None
    return DeviceMemoryError(
        f"the device has no room for a batch of {batch} ({one_line(error)}): expected a smaller "
        "--batch"
    )


class BoundSession:
    """A session on one provider, and what its runs read and write.

    runtime       the onnxruntime module
    provider      its name, and its settings
    entries       further session config entries
    nodes_on_cpu  where the provider does not take all nodes, how many of each operator the CPU
                  does, {"TopK": 1} ({} where that is not known); None where it takes all

    Raises DeviceUnavailableError where the provider is not there, DeviceMemoryError where the
    device has no room, and InputError where ONNX Runtime refuses the model or a setting.
    """

    def __init__(
        self,
        runtime: Any,
        model: Model,
        batch: int,
        provider: tuple[str, Mapping[str, str]],
        entries: Mapping[str, str],
    ) -> None:
        self.nodes_on_cpu: dict[str, int] | None = None
        self._batch = batch
        self._bindings: list[Any] = []
        name, settings = provider
        strict = name != CPU_PROVIDER

        def opened(further: Mapping[str, str]) -> Any:
            options = runtime.SessionOptions()
            options.log_severity_level = 4 if strict else 3  # what is refused is said below
            # The same kernels in every session: votes are a function of the row.
            options.use_deterministic_compute = True
            if isinstance(model.batch, str):
                options.add_free_dimension_override_by_name(model.batch, batch)
            for key, value in {**entries, **further}.items():
                options.add_session_config_entry(key, value)
            return runtime.InferenceSession(
                str(model.path),
                options,
                providers=[(name, dict(settings))],
                enable_fallback=0,  # or it goes on without the settings, on the CPU
            )

        try:
            try:
                entry = "session.disable_cpu_ep_fallback"
                self._session = opened({entry: "1"} if strict else {})
            except Exception as error:
                if _ON_CPU not in str(error):
                    raise
                self._session = opened({"session.record_ep_graph_assignment_info": "1"})
                self.nodes_on_cpu = _nodes_on_cpu(self._session)
        except Exception as error:  # the runtime's exceptions share no public base class
            raise no_room(error, batch) or _refusal(runtime, model.path, error) from None
        if self._session.get_providers()[0] != name:
            raise no_provider(runtime)

    def settings(self, provider: str) -> dict[str, str]:
        """What the session says that a provider's settings are."""
        return dict(self._session.get_provider_options().get(provider, {}))

    def bind(
        self,
        place: tuple[str, int],
        inputs: tuple[str, int, Sequence[int], Sequence[int]],
        logits: tuple[str, int, Sequence[int], int],
    ) -> None:
        """Take the buffers: the device's type and index, and for inputs and logits the name, ONNX
        element type, shape and address (of inputs, those of several buffers)."""
        name, element, shape, pointers = inputs
        for pointer in pointers:
            binding = self._session.io_binding()
            binding.bind_input(name, *place, element, shape, pointer)
            binding.bind_output(logits[0], *place, *logits[1:])
            self._bindings.append(binding)

    def run(self, buffer: int, options: Any) -> None:
        """Run on an input buffer. Raises DeviceMemoryError, or RuntimeError in one line."""
        try:
            self._session.run_with_iobinding(self._bindings[buffer], options)
        except Exception as error:
            raise (
                no_room(error, self._batch) or RuntimeError(f"ONNX Runtime: {one_line(error)}")
            ) from None


def _refusal(runtime: Any, path: Path, error: Exception) -> InputError:
    """Why there is no session: the device, a setting, or else the model."""
    if found := _DEVICE.search(str(error)):
        return DeviceUnavailableError(
            f"ONNX Runtime cannot use the GPU ({one_line(found[0])}): expected a driver for the "
            "CUDA that onnxruntime-gpu is built for; see `smoothcert doctor`"
        )
    if found := _SETTING.search(str(error)):
        return InputError(
            f"onnxruntime {runtime.__version__} has other settings ({found[0]}): expected another "
            "version of it"
        )
    return refusal(path, error)


def _nodes_on_cpu(session: Any) -> dict[str, int]:
    """How many nodes of each operator the CPU runs; empty where this version does not say."""
    try:
        parts = session.get_provider_graph_assignment_info()
        on_cpu = [part for part in parts if part.ep_name == CPU_PROVIDER]
        return dict(Counter(node.op_type for part in on_cpu for node in part.get_nodes()))
    except Exception:  # it has no such method, or not all of it
        return {}


def check_stream(settings: Mapping[str, str], stream: int) -> None:
    """Raise InputError where a session says that it is on another stream than `stream`.

    One that does not say which, as older versions do not, is taken at its word.
    """
    taken = settings.get("user_compute_stream", "")
    other = taken.isdecimal() and int(taken) != stream
    if other or settings.get("has_user_compute_stream") == "0":
        raise InputError(
            f"ONNX Runtime runs on stream {taken or 'of its own'}, not on {stream}, which its "
            "inputs are made on: expected another version of onnxruntime-gpu, or another --backend"
        )
