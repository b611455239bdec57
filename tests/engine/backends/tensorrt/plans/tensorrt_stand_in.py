"""A stand-in for full TensorRT whose calls can be made to fail, one at a time.

Networks, parser and settings are real ones, of TensorRT for RTX; what a GPU is needed for answers
as the bindings say that it does where it fails.
"""

import threading
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

trt = pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")

PLAN = b"ptrt, and what an engine is made of"


def fail(how: Any, logger: Any, said: str = "") -> Any:
    """Answer with a value, or raise it where it is an error; with a word in the log before."""
    if said:
        logger.log(trt.ILogger.Severity.ERROR, said)
    if isinstance(how, Exception):
        raise type(how)(*how.args)  # a new one: an error keeps what it was raised in
    return how


class Builder:
    """A real builder, but for the calls that are to fail and for what needs a GPU."""

    def __init__(self, stand_in: "StandIn", logger: Any) -> None:
        self._of, self._logger = stand_in, logger
        self._real = trt.Builder(logger)
        stand_in.builders.append(weakref.ref(self))
        stand_in.threads.append(threading.get_ident())

    def create_network(self, flags: int) -> Any:
        self._of.flags.append(flags)
        return self._of.answer("create_network", self._logger, lambda: self._real.create_network(0))

    def create_builder_config(self) -> Any:
        return self._of.answer(
            "create_builder_config", self._logger, self._real.create_builder_config
        )

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        self._of.cached = config.get_timing_cache() is not None
        return self._of.answer("build_serialized_network", self._logger, lambda: PLAN)


class StandIn:
    """A module `trt` whose call of one name fails; the rest of its names are the real ones."""

    def __init__(self, name: str = "", how: Any = None, said: str = "") -> None:
        self.failing, self.how, self.said = name, how, said
        self.flags: list[int] = []
        self.threads: list[int] = []
        self.builders: list[weakref.ref[Builder]] = []
        self.host_code: list[bool] = []
        self.cached: bool | None = None

    def answer(self, name: str, logger: Any, real: Any) -> Any:
        return fail(self.how, logger, self.said) if name == self.failing else real()

    def Builder(self, logger: Any) -> Any:  # noqa: N802
        return self.answer("Builder", logger, lambda: Builder(self, logger))

    def OnnxParser(self, network: Any, logger: Any) -> Any:  # noqa: N802
        return self.answer("OnnxParser", logger, lambda: trt.OnnxParser(network, logger))

    def Runtime(self, logger: Any) -> Any:  # noqa: N802
        def deserialize(content: bytes) -> Any:
            assert content == PLAN
            self.host_code.append(runtime.engine_host_code_allowed)
            engine = SimpleNamespace(num_layers=3, device_memory_size_v2=9, num_aux_streams=0)
            return self.answer("deserialize_cuda_engine", logger, lambda: engine)

        runtime = SimpleNamespace(
            deserialize_cuda_engine=deserialize, engine_host_code_allowed=False
        )
        return self.answer("Runtime", logger, lambda: runtime)

    def __getattr__(self, name: str) -> Any:
        return getattr(trt, name)
