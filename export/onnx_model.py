"""A torch module as one ONNX file, with metadata that says what it eats."""

import contextlib
import io
import json
import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import METADATA_KEY, InputSpec
from smoothcert.engine.base.machine import version_of

if TYPE_CHECKING:
    from torch import nn

OPSET = 18
BATCH = "N"
"""The name of the open batch dimension."""


def write_onnx(
    module: "nn.Module",
    spec: InputSpec,
    num_classes: int,
    path: Path,
    metadata: dict[str, Any],
) -> None:
    """Write a module (in eval mode) as ONNX: input `input` [N, C, H, W], output `logits` [N, K].

    One file, no external data, batch norm folded, no local paths inside, checked by onnx.checker,
    written atomically; the same module and versions give the same bytes. `metadata` (arch,
    checkpoint digest, ...) and the input spec go into the file as one JSON object.
    Raises InputError where the module cannot be exported or returns no [N, K] logits.
    """
    torch = require("torch", "export", "exporting to ONNX")
    onnx = require("onnx", "export", "exporting to ONNX")
    require("onnxscript", "export", "exporting to ONNX")
    module.eval()
    example = torch.zeros((2, *spec.shape))
    with torch.inference_mode():
        logits = _run(module, example)
    if tuple(getattr(logits, "shape", ())) != (2, num_classes):
        raise InputError(
            f"the network returns {tuple(getattr(logits, 'shape', ()))} for two images: expected "
            f"logits (2, {num_classes}); check --num-classes and --arch"
        )
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        with _quiet():
            try:
                torch.onnx.export(
                    module,
                    (example,),
                    draft,
                    input_names=["input"],
                    output_names=["logits"],
                    dynamic_shapes=({0: torch.export.Dim(BATCH)},),
                    opset_version=OPSET,
                    dynamo=True,
                    external_data=False,
                    verbose=False,
                )
            except Exception as error:  # the exporter's errors share no public base class
                reason = one_line(error)
                raise InputError(f"the network cannot be exported to ONNX: {reason}") from None
        model = onnx.load(str(draft))
    _strip(model)
    versions = {name: version_of(name) for name in ("smoothcert", "torch", "onnx", "onnxscript")}
    record = {
        **metadata,
        "num_classes": num_classes,
        **spec.to_metadata(),
        "precision": "fp32",
        "opset": OPSET,
        "versions": versions,
    }
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(record, sort_keys=True)})
    onnx.checker.check_model(model)
    write_atomically(path, model.SerializeToString(deterministic=True))


def _run(module: "nn.Module", example: Any) -> Any:
    try:
        return module(example)
    except Exception as error:
        reason = one_line(error)
        raise InputError(
            f"the network does not accept images of shape {tuple(example.shape[1:])} ({reason}): "
            "give its --input-shape C,H,W"
        ) from None


def _strip(model: Any) -> None:
    """Remove what the exporter notes about its own process: stack traces with local paths."""
    for name in ("doc_string", "producer_name", "producer_version"):
        model.ClearField(name)
    model.graph.ClearField("doc_string")
    parts = [*model.graph.node, *model.graph.initializer, *model.graph.value_info,
             *model.graph.input, *model.graph.output, model.graph]  # fmt: skip
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter reports its steps on stdout and through warnings and logging: not ours."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
