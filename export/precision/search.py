"""The search for what a quantised model keeps in float32: its models, their trials, the ranking."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.precision.calibration import Calibration
from smoothcert.export.precision.fallback import Form, Found, least_float
from smoothcert.export.precision.harm import ranked_by_harm
from smoothcert.export.precision.quantize import Quantizer
from smoothcert.export.precision.trials import Trials, Verdict, search_rows
from smoothcert.export.precision.watching import ExportWatcher

RANKING_ROWS = 4
_BOUND = 12
"""In trials of all rows: once networks have run so many rows, the best form so far is taken. Of
most networks the whole search takes less than half of it, since trials end early."""


class Search:
    """The least that one network keeps in float32.

    model      its onnx.ModelProto in float32
    lowered    what makes a quantised onnx.ModelProto the one to be written, metadata and all
    tolerated  the part of the votes that may differ
    batch      of the trials
    optimised  whether ONNX Runtime may optimise what it makes: not 8-bit floats
    folder     for files while this object lives
    """

    def __init__(
        self,
        described: Model,
        model: Any,
        calibration: Calibration,
        quantizer: Quantizer,
        lowered: Callable[[Any], Any],
        tolerated: float,
        batch: int,
        optimised: bool,
        folder: Path,
        watcher: ExportWatcher,
    ) -> None:
        self._described, self._model, self._calibration = described, model, calibration
        self._quantizer, self._lowered = quantizer, lowered
        self._folder, self._watcher = folder, watcher
        self._tolerated, self._optimised = tolerated, optimised
        rows = search_rows(calibration)
        self._bound = _BOUND * len(rows)
        self._trials = Trials(
            rows, lambda: OnnxRuntimeNetwork(described, batch), batch, tolerated, watcher.ran
        )
        self._batch = batch

    def found(self) -> Found:
        """See least_float; raises InputError as it does."""
        self._watcher.stage("taking ranges", len(self._calibration.images))
        self._quantizer.quantized(ran=self._watcher.ran)
        return least_float(
            self._quantizer.layers,
            self._quantizer.between,
            self._trial,
            self._ranked,
            lambda: self._trials.spent < self._bound,
            self._tolerated,
        )

    def model(self, form: Form) -> Any:
        """The onnx.ModelProto of a form."""
        return self._lowered(self._quantizer.quantized(form.kept, form.between))

    def _trial(self, form: Form) -> Verdict:
        self._watcher.stage(f"trying {self._told(form)}", len(self._trials.rows))
        path = self._folder / "trial.onnx"
        path.write_bytes(self.model(form).SerializeToString())
        return self._trials.verdict(OnnxRuntimeNetwork(open_onnx(path), self._batch))

    def _told(self, form: Form) -> str:
        layers = len(self._quantizer.layers)
        eight = layers - len(form.kept)
        return f"{eight} of {layers} layers" + ("" if form.between else ", nothing between")

    def _ranked(self) -> list[str]:
        layers = self._quantizer.layers
        self._watcher.stage(f"ranking {len(layers)} layers", RANKING_ROWS * len(layers))
        return ranked_by_harm(
            self._model,
            self.model(Form(between=False)),
            layers,
            self._ranking_rows(),
            self._folder,
            optimised=self._optimised,
            ran=self._watcher.ran,
        )

    def _ranking_rows(self) -> npt.NDArray[np.float32]:
        """Noisy images, of as many images as may be."""
        images = self._calibration.images
        count = min(len(images), RANKING_ROWS)
        few = replace(
            self._calibration,
            images=[images[i * len(images) // count] for i in range(count)],
            samples=-(-RANKING_ROWS // count),
        )
        return np.concatenate(list(few.batches(self._described.spec)))[:RANKING_ROWS]
