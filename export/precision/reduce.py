"""From a float32 ONNX model to one of a lower precision, checked against it by votes."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.base.ranges import CALIBRATION_IMAGES, MAX_ZETA, SIGMA
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.agreement import (
    SAMPLES,
    Disagreement,
    measure_disagreement,
    random_images,
)
from smoothcert.export.precision.calibration import Calibration
from smoothcert.export.precision.fallback import Form, Found
from smoothcert.export.precision.float8 import to_float8
from smoothcert.export.precision.half import rounded_results, to_half
from smoothcert.export.precision.quantize import Quantizer, Target
from smoothcert.export.precision.search import Search
from smoothcert.export.precision.watching import UNWATCHED, ExportWatcher

Precision = Literal["fp32", "fp16", "bf16", "int8", "fp8"]
PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")

_BATCH = 8
_LARGEST_FILE = 2**31 - 1


@dataclass(frozen=True)
class ReducedModel:
    """What was written: `found` is what stayed in float32; `disagreement` with the float32 model;
    `said` is what was inferred of the images that it was calibrated by."""

    path: Path
    found: Found
    disagreement: Disagreement
    said: tuple[str, ...] = ()

    @property
    def kept(self) -> list[str]:
        """The layers that stayed in float32."""
        return list(self.found.form.kept)


@dataclass(frozen=True)
class Reduction:
    """A precision to export to.

    precision    fp16 and bf16: weights, inputs and logits are halves. int8 and fp8: quantised
                 pairs around float32 layers (quantize.py)
    calibrate    a SOURCE for the ranges of int8 and fp8, and for the measurement of zeta; None
                 (halves only): random pixels
    sigma        the noise level to be certified
    target       of int8: what the file is fast on (quantize.py); fp8 is always for a gpu
    max_zeta     layers stay in float32 where more of the votes would differ (fallback.py)
    images       how many of the source calibrate
    """

    precision: Precision
    calibrate: str | None = None
    sigma: float | None = None
    target: Target = "cpu"
    max_zeta: float = 0.05
    images: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot be calibrated."""
        if self.precision not in PRECISIONS[1:]:
            raise InputError(
                f"precision {self.precision!r} is no reduced one: expected one of "
                f"{', '.join(PRECISIONS[1:])}"
            )
        if self.calibrate is None and self.precision in ("int8", "fp8"):
            raise InputError(
                f"precision {self.precision} needs noisy images for its ranges: give --calibrate "
                "SOURCE and --sigma S, the noise level to be certified"
            )
        if (self.calibrate is None) != (self.sigma is None):
            raise InputError(
                f"calibrate {self.calibrate} and sigma {self.sigma} go together: give both"
            )
        if self.sigma is not None:
            SIGMA.check(self.sigma)
        MAX_ZETA.check(self.max_zeta)
        CALIBRATION_IMAGES.check(self.images)

    def calibration(self, model: Model) -> Calibration:
        """The images, as this model takes them."""
        if self.calibrate is None or self.sigma is None:
            return _random_images(model)
        from smoothcert.engine.sources import open_source

        source = open_source(self.calibrate, model.spec, model.num_classes)
        return Calibration.of_source(source, self.sigma, self.images)


def reduce_precision(
    source: Path, output: Path, reduction: Reduction, watcher: ExportWatcher = UNWATCHED
) -> ReducedModel:
    """Write a float32 ONNX model (batch norm folded) in a lower precision, and measure how its
    votes differ on noise that neither calibrated it nor chose its layers.

    Raises InputError for what cannot be converted; nothing is left at `output` then.
    """
    onnx = require("onnx", "export", "exporting to ONNX")
    described = open_onnx(source)
    model = onnx.load(str(source))
    calibration = reduction.calibration(described)
    found = Found(Form())
    facts: dict[str, Any] = {}
    if reduction.precision in ("fp16", "bf16"):
        watcher.stage(f"rounding to {reduction.precision}")
        reduced = to_half(model, reduction.precision)
    else:
        with tempfile.TemporaryDirectory() as folder:
            search = _search(described, model, reduction, calibration, Path(folder), watcher)
            found = search.found()
            reduced = search.model(found.form)
        facts = {
            "target": "gpu" if reduction.precision == "fp8" else reduction.target,
            "images": len(calibration.images),
            "samples": calibration.samples,
            "sigma": calibration.sigma,
            "float32_layers": list(found.form.kept),
            **({} if found.form.between else {"float32_between_layers": True}),
        }
    _record(reduced, described, reduction.precision, facts)
    if reduced.ByteSize() > _LARGEST_FILE:
        raise InputError(
            f"the {reduction.precision} model has {reduced.ByteSize():,} bytes: expected less than "
            "2 GiB, which one ONNX file can hold"
        )
    onnx.checker.check_model(reduced)
    disagreement = _disagreement(described, reduced, calibration, watcher)
    write_atomically(output, reduced.SerializeToString(deterministic=True))
    return ReducedModel(output, found, disagreement, calibration.said)


def _search(
    described: Model,
    model: Any,
    reduction: Reduction,
    calibration: Calibration,
    folder: Path,
    watcher: ExportWatcher,
) -> Search:
    floats = reduction.precision == "fp8"
    target: Target = "gpu" if floats else reduction.target

    def lowered(quantized: Any) -> Any:
        reduced = to_float8(quantized, model) if floats else quantized
        _record(reduced, described, reduction.precision, {})
        return reduced

    return Search(
        described,
        model,
        calibration,
        Quantizer(model, described.spec, calibration, target, folder),
        lowered,
        reduction.max_zeta,
        _batch(described),
        not floats,
        folder,
        watcher,
    )


def _disagreement(
    described: Model, reduced: Any, calibration: Calibration, watcher: ExportWatcher
) -> Disagreement:
    """Between the float32 model and a reduced one, both as ONNX Runtime runs them."""
    onnx = require("onnx", "export", "exporting to ONNX")
    rows = len(calibration.images) * SAMPLES
    watcher.stage(f"comparing {rows:,} votes with float32", 2 * rows)
    half = reduced.graph.input[0].type.tensor_type.elem_type
    runnable = rounded_results(reduced) if half == onnx.TensorProto.BFLOAT16 else reduced
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reduced.onnx"
        path.write_bytes(runnable.SerializeToString())
        return measure_disagreement(
            OnnxRuntimeNetwork(described, _batch(described)),
            OnnxRuntimeNetwork(open_onnx(path), _batch(described)),
            calibration.images,
            calibration.sigma,
            ran=watcher.ran,
        )


def _batch(model: Model) -> int:
    return model.batch if isinstance(model.batch, int) else _BATCH


def _record(reduced: Any, described: Model, precision: Precision, facts: dict[str, Any]) -> None:
    """The float32 model's metadata, with the new precision."""
    onnx = require("onnx", "export", "exporting to ONNX")
    opset = next(entry.version for entry in reduced.opset_import if entry.domain in ("", "ai.onnx"))
    record = {
        **described.spec.to_metadata(),
        **described.metadata,
        "precision": precision,
        "opset": opset,
        "float32_sha256": described.sha256,
    }
    if facts:
        record["quantization"] = facts
    onnx.helper.set_model_props(reduced, {METADATA_KEY: json.dumps(record, sort_keys=True)})


def _random_images(described: Model, images: int = 8) -> Calibration:
    """Stand-ins where no source is given: random pixels, on which votes say little."""
    return Calibration(random_images(described.spec.shape, images), 0.25)
