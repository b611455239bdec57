"""An OpenVINO graph: what it takes and returns, and canonical ends around it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.host.openvino_network import openvino_core, with_float_ends
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.models.onnx_graph import GraphValue
from smoothcert.engine.models.openvino_ir import plain
from smoothcert.engine.models.row_independence.verdict import Proof
from smoothcert.export.foreign.given_network import Floats, as_given, as_logits
from smoothcert.export.foreign.input_reading import InputReading
from smoothcert.export.foreign.logits_reading import LogitsReading
from smoothcert.export.foreign.options import PIXELS

_TYPES = {"f32": "float", "f64": "double", "f16": "float16", "bf16": "bfloat16",
          "u8": "uint8", "i8": "int8", "u16": "uint16", "i16": "int16", "u32": "uint32",
          "i32": "int32", "u64": "uint64", "i64": "int64", "boolean": "bool"}  # fmt: skip
_RANDOM = ("Multinomial", "RandomUniform")
_ROWS = 2
_PROPERTY = ["framework", METADATA_KEY]
"""Where OpenVINO's converter puts the metadata of an ONNX file."""


class IrGraph:
    """The network of an IR file, as OpenVINO reads it.

    Raises MissingPartError where openvino is not installed, InputError where it refuses the file.
    """

    def __init__(self, network: Path) -> None:
        self._path = network
        self._openvino = require("openvino", "openvino", f"model {network} is OpenVINO IR, which")
        self.version = str(self._openvino.__version__).partition("-")[0]
        self._core = openvino_core(self._openvino)
        self._graph = self._read()

    def _read(self) -> Any:
        try:
            graph = self._core.read_model(str(self._path))
            for node in graph.get_ops():  # names that are no text are handed on undecoded
                node.get_friendly_name()
            for port in (*graph.inputs, *graph.outputs):
                port.get_names()
            return graph
        except (RuntimeError, UnicodeDecodeError) as error:
            raise InputError(
                f"model {self._path} cannot be read by openvino {self.version} "
                f"({plain(error)}): expected whole OpenVINO IR of version 10 or 11, .xml and "
                ".bin of one network; convert it again"
            ) from None

    @property
    def inputs(self) -> list[GraphValue]:
        """What it takes."""
        return [_value(port) for port in self._graph.inputs]

    @property
    def outputs(self) -> list[GraphValue]:
        """What it returns."""
        return [_value(port) for port in self._graph.outputs]

    def outputs_for(self, taken: InputReading) -> list[GraphValue]:
        """What it returns for such images; a side is open where it has one entry for each of
        them."""
        if taken.batch is not None:
            return self.outputs
        graph = self._read()
        self._reshape(graph, taken, _ROWS)
        found = [_value(port) for port in graph.outputs]
        for value in found:
            if value.shape[:1] == [_ROWS]:
                value.shape[0] = None
        return found

    @property
    def properties(self) -> dict[str, str]:
        """What `smoothcert export` recorded in the ONNX file that it was converted from."""
        recorded = self._text(_PROPERTY)
        return {} if recorded is None else {METADATA_KEY: recorded}

    def _text(self, where: list[str]) -> str | None:
        """What is noted at a path; None where nothing is."""
        try:
            if not self._graph.has_rt_info(where):
                return None
            return str(self._graph.get_rt_info(where).astype(str))
        except (RuntimeError, TypeError, UnicodeDecodeError) as error:
            raise InputError(
                f"model {self._path} notes what is no text at {'/'.join(where)} ({plain(error)}): "
                "expected what OpenVINO's converters write; convert it again"
            ) from None

    def noted(self, name: str) -> str:
        """What Intel's tools note beside the network of the images that it wants, such as
        `mean_values` "123.7 116.3 103.5"; empty where nothing is, or where it is done inside."""
        if self._text(["model_info", "embedded_processing"]) not in (None, "False"):
            return ""
        return " ".join((self._text(["model_info", name]) or "").split())

    @property
    def quantised(self) -> bool:
        """Whether parts of it compute with integers."""
        return any(node.get_type_name() == "FakeQuantize" for node in self._graph.get_ops())

    def chance(self) -> Proof | None:
        """A node that draws random numbers, as what it refutes."""
        for node in self._graph.get_ops():
            if node.get_type_name() in _RANDOM:
                name, kind = node.get_friendly_name(), node.get_type_name()
                return Proof("refused", name, kind, "draws random numbers", "chance")
        return None

    def fix(self, taken: InputReading) -> None:
        """Fix the open sides, but for the batch; raises InputError where they do not fit."""
        self._reshape(self._graph, taken, taken.batch or -1)

    def _reshape(self, graph: Any, taken: InputReading, batch: int) -> None:
        sides = [batch, *taken.given_shape]
        try:
            graph.reshape({graph.inputs[0]: self._openvino.PartialShape(sides)})
        except RuntimeError as error:
            raise InputError(
                f"model {self._path} does not take images {sides[1:]} ({plain(error)}): expected "
                "the size that it was converted for"
            ) from None

    def write_canonical(self, taken: InputReading, returned: LogitsReading, path: Path) -> None:
        """Write IR that computes the same from float NCHW images to logits [N, K]: of the same
        bytes, whatever else this process has made."""
        ops = require("openvino.opset13", "openvino", f"model {self._path} is OpenVINO IR, which")
        graph = self._read()
        self._reshape(graph, taken, taken.batch or -1)
        (given,) = graph.inputs
        images = ops.parameter(
            self._openvino.PartialShape([taken.batch or -1, *taken.spec.shape]),
            self._openvino.Type.f32,
            name="input",
        )
        images.output(0).set_names({"input"})
        value = ops.clamp(images, *map(float, PIXELS)) if taken.clamped else images
        value = ops.convert(value, given.get_element_type().get_type_name())
        if taken.arrangement in ("nhwc", "rows nhwc"):
            value = ops.transpose(value, np.array([0, 2, 3, 1]))
        if taken.arrangement in ("nhw", "rows", "rows nhwc"):
            value = ops.reshape(value, np.array([0, *taken.given_shape]), special_zero=True)
        for reader in given.get_target_inputs():
            reader.replace_source_output(value.output(0))
        port = graph.outputs[_index(self.outputs, returned)]
        scores = ops.convert(port.get_node().input_value(0), "f32")
        columns = 1 if returned.threshold is not None else returned.classes
        first = 0 if len(returned.shape) > 1 else 1  # a batch of one, its side dropped
        scores = ops.reshape(scores, np.array([first, columns]), special_zero=True)
        if returned.threshold is not None:
            threshold = ops.constant(np.float32(returned.threshold))
            pair = [ops.subtract(threshold, scores), ops.subtract(scores, threshold)]
            scores = ops.concat(pair, 1)
        scores.output(0).set_names({"logits"})
        whole = self._openvino.Model([ops.result(scores)], [images], "canonical")
        # OpenVINO names what is new by a count of all that this process has made.
        kept = {"input", *(node.get_friendly_name() for node in self._graph.get_ops())}
        for number, node in enumerate(whole.get_ordered_ops()):
            if node.get_friendly_name() not in kept:
                node.set_friendly_name(f"canonical {number}")
        # Weights as they are: it would round them to float16 of its own accord.
        self._openvino.save_model(whole, str(path), compress_to_fp16=False)

    def logits(
        self, rows: Floats, batch: int, taken: InputReading, returned: LogitsReading
    ) -> Floats:
        """The logits of canonical rows (float32 [n, C * H * W]) in batches of `batch`, to which the
        network is reshaped; raises InputError where it cannot be, or run."""
        graph = self._read()
        self._reshape(graph, taken, batch)
        number = _index(self.outputs, returned)
        given: npt.NDArray[np.float32] = as_given(rows, taken).astype(np.float32)
        try:
            compiled = self._core.compile_model(
                with_float_ends(self._openvino, graph, number),
                "CPU",
                {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": usable_cores()},
            )
            outputs = [
                compiled(given[start : start + batch])[compiled.outputs[number]].copy()
                for start in range(0, len(given), batch)
            ]
        except RuntimeError as error:
            raise InputError(f"model {self._path} does not run ({plain(error)})") from None
        return np.concatenate([as_logits(output, returned) for output in outputs])


def _index(outputs: list[GraphValue], returned: LogitsReading) -> int:
    return next(i for i, value in enumerate(outputs) if value.name == returned.name)


def _value(port: Any) -> GraphValue:
    names = port.get_names()
    node = port.get_node()
    name = min(names) if names else node.get_friendly_name()
    kind = port.get_element_type().get_type_name()
    shape = port.get_partial_shape()
    sides: list[int | str | None] = []
    if shape.rank.is_static:
        sides = [side.get_length() if side.is_static else None for side in shape]
    return GraphValue(name, f"tensor({_TYPES.get(kind, kind)})", sides)
