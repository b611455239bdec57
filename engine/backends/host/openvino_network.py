"""OpenVINO on the CPU: a static batch on shared buffers, in the precision that was asked for."""

from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import aligned_zeros
from smoothcert.engine.base.cores import runnable_cores, usable_cores
from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.machine import processor_flags, processor_name
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.openvino_ir import is_ir, plain

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
_FP16_INSTRUCTIONS = frozenset({"avx512_fp16", "amx_fp16"})


def arithmetic_of(precision: str, flags: Collection[str]) -> str:
    """OpenVINO's name for the arithmetic of a network's floating-point operations.

    flags  the processor's instruction sets
    bf16 is given to bf16 alone: the runtime's own default would lower an fp32 model to it where
    that is fast. The integer operations of an int8 model are part of its graph; the rest of it is
    float32, and so is an fp16 model where the processor has no float16 arithmetic (its weights are
    what they are). Raises InputError for bf16 on a processor without the instructions.
    """
    if precision == "bf16":
        if not set(BF16_INSTRUCTIONS) & set(flags):
            raise InputError(
                f"precision bf16 needs {' or '.join(BF16_INSTRUCTIONS)}, and this processor "
                f"({processor_name()}) has neither: use an fp32 model in fp32"
            )
        return "bf16"
    if precision == "fp16" and _FP16_INSTRUCTIONS & set(flags):
        return "f16"
    return "f32"


@cache
def openvino_core(openvino: Any) -> Any:
    """The one Core of this process, which stays.

    A Core gives the thread that makes it a stack for signals and puts the one before back when it
    goes: two of them that go in the order they came leave a stack behind that is no longer there,
    and the next signal (Ctrl-C, a child's end) kills the process.
    """
    return openvino.Core()


def with_float_ends(openvino: Any, graph: Any, output: int = 0) -> Any:
    """The graph with float32 input and logits: a bf16 model rounds its input once, on entry."""
    ends = openvino.preprocess.PrePostProcessor(graph)
    ends.input(0).tensor().set_element_type(openvino.Type.f32)
    ends.output(output).tensor().set_element_type(openvino.Type.f32)
    return ends.build()


_UNCHECKED = "GatherElements"
"""The operator that with a single thread reads beyond its data (seen in 2026.4.1), where with more
it refuses to."""


class OpenVinoNetwork:
    """A Network (backends/base.py) run by OpenVINO's CPU plugin.

    batch      must equal the model's own where that is fixed
    precision  of the run: the model's own, or bf16 for an fp32 model
    threads    cores to use; None for all usable ones
    Raises InputError for a precision this processor lacks and where the runtime refuses the model.
    """

    def __init__(
        self, model: Model, batch: int, precision: str = "fp32", threads: int | None = None
    ) -> None:
        openvino = require("openvino", "openvino", "running a model with OpenVINO")
        self.spec, self.num_classes = model.spec, model.num_classes
        threads = threads or usable_cores()
        arithmetic = arithmetic_of(precision, processor_flags())
        core = openvino_core(openvino)
        try:
            graph = core.read_model(str(model.path))
            graph.reshape({graph.inputs[0]: [batch, *self.spec.shape]})
            if any(node.get_type_name() == _UNCHECKED for node in graph.get_ops()):
                threads = max(2, threads)
                if runnable_cores() < threads:
                    raise RuntimeError(f"on one core it does not check what {_UNCHECKED} picks")
            compiled = core.compile_model(
                with_float_ends(openvino, graph),
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": arithmetic,
                    "INFERENCE_NUM_THREADS": threads,
                    # Two processes that pin their threads pin them to the same cores.
                    "ENABLE_CPU_PINNING": False,
                    # One batch at a time over all cores: batches are large already.
                    "NUM_STREAMS": 1,
                },
            )
        except RuntimeError as error:
            reason = plain(error, 300)
            instead = (
                "give the ONNX file that it was converted from"
                if is_ir(model.path)
                else "use --backend onnxruntime"
            )
            raise InputError(
                f"{model.given} is no model that OpenVINO can run ({reason}): {instead}"
            ) from None
        self.inputs = aligned_zeros((batch, self.spec.num_pixels))
        self._logits = aligned_zeros((batch, self.num_classes))
        output = compiled.output(0).partial_shape
        if output.is_static:
            _check_shape(model, tuple(output.to_shape()), self._logits.shape)
        self._model, self._unseen = model, True
        self._request: Any = compiled.create_infer_request()
        shaped = self.inputs.reshape(batch, *self.spec.shape)
        self._request.set_input_tensor(openvino.Tensor(shaped, shared_memory=True))
        self._request.set_output_tensor(0, openvino.Tensor(self._logits, shared_memory=True))
        self._description = {
            "runtime": f"openvino {openvino.__version__.partition('-')[0]}",
            "precision": precision,
            "threads": threads,
        }

    def run(self) -> npt.NDArray[np.float32]:
        """See Network.run; no copy on either side. Raises RuntimeError where the runtime does."""
        try:
            self._request.infer()
        except RuntimeError as error:
            raise RuntimeError(plain(error, 300)) from None
        if self._unseen:
            shape = tuple(self._request.get_output_tensor(0).shape)
            _check_shape(self._model, shape, self._logits.shape)
            self._unseen = False
        return self._logits

    def describe(self) -> dict[str, Any]:
        """See Network.describe."""
        return dict(self._description)


def _check_shape(model: Model, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise InputError(
            f"model {model.given} returns {found} for a batch of {expected[0]} images: expected "
            f"logits {expected}, a row for each image; export it again"
        )
