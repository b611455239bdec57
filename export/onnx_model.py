"""A torch module as one ONNX file, with metadata that says what it eats."""

import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import METADATA_KEY, InputSpec
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.base.wording import printable
from smoothcert.export.logits import run_two
from smoothcert.export.quietness import quiet, quiet_below

if TYPE_CHECKING:
    import torch
    from torch import nn

OPSET = 18
BATCH = "N"
"""The name of the open batch dimension."""

Exporter = Literal["dynamo", "torchscript"]

EXPORTERS: tuple[Exporter, ...] = ("dynamo", "torchscript")
"""torch's exporters, the first choice first: some networks only the older one can write."""


class UnwritableError(InputError):
    """No exporter can write the network as ONNX."""


def write_onnx(
    module: "nn.Module",
    spec: InputSpec,
    num_classes: int,
    path: Path,
    metadata: dict[str, Any],
    exporters: Sequence[Exporter] = EXPORTERS,
) -> Exporter:
    """Write a module (in eval mode) as ONNX: input `input` [N, C, H, W], output `logits` [N, K].

    One file, no external data, batch norm folded, no local paths inside, checked by onnx.checker,
    written atomically; the same module and versions give the same bytes. `metadata` (arch,
    checkpoint digest, ...) and the input spec go into the file as one JSON object.
    The first of `exporters` that can write the module does, and is returned; the metadata name it
    where it is not the first choice. Raises InputError where none can, or the module returns no
    [N, K] logits.
    """
    require("torch", "export", "exporting to ONNX")
    onnx = require("onnx", "export", "exporting to ONNX")
    require("onnxscript", "export", "exporting to ONNX")
    logits = run_two(module, spec.shape)
    if tuple(getattr(logits, "shape", ())) != (2, num_classes):
        raise InputError(
            f"the network returns {tuple(getattr(logits, 'shape', ()))} for two images: expected "
            f"logits (2, {num_classes}); check --num-classes and --arch"
        )
    exporter, model = _written(module, spec, exporters)
    _strip(model)
    versions = {name: version_of(name) for name in ("smoothcert", "torch", "onnx", "onnxscript")}
    record = {
        **metadata,
        **({} if exporter == EXPORTERS[0] else {"exporter": exporter}),
        "num_classes": num_classes,
        **spec.to_metadata(),
        "precision": "fp32",
        "opset": OPSET,
        "versions": versions,
    }
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(record, sort_keys=True)})
    onnx.checker.check_model(model)
    write_atomically(path, model.SerializeToString(deterministic=True))
    return exporter


def _written(
    module: "nn.Module", spec: InputSpec, exporters: Sequence[Exporter]
) -> tuple[Exporter, Any]:
    """The module as ONNX, and the exporter that wrote it; raises InputError with what the first of
    them says where none can."""
    import onnx
    import torch

    example = torch.zeros((2, *spec.shape))
    writers = {"dynamo": _with_dynamo, "torchscript": _with_torchscript}
    reasons = []
    for exporter in exporters:
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / "draft.onnx"
            try:
                with quiet():
                    writers[exporter](module, example, draft)
                return exporter, onnx.load(str(draft))
            except Exception as error:  # the exporters' errors share no public base class
                reasons.append(printable(one_line(_root(error))))
    raise UnwritableError(f"the network cannot be exported to ONNX: {reasons[0]}")


def _root(error: BaseException) -> BaseException:
    """What an exporter's error is about: those that were raised from it only say in which step."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _with_dynamo(module: "nn.Module", example: "torch.Tensor", draft: Path) -> None:
    import torch

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


def _with_torchscript(module: "nn.Module", example: "torch.Tensor", draft: Path) -> None:
    import torch

    # Fused attention is an operator that it does not know; of what it does not know it prints.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with contextlib.ExitStack() as after:
        after.callback(torch.backends.mha.set_fastpath_enabled, fused)
        after.enter_context(quiet_below())
        after.enter_context(torch.inference_mode())
        torch.onnx.export(
            module,
            (example,),
            str(draft),
            input_names=["input"],
            output_names=["logits"],
            dynamic_axes={"input": {0: BATCH}, "logits": {0: BATCH}},
            opset_version=OPSET,
            dynamo=False,
        )


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
