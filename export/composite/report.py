"""What is told of a composite that was written."""

from dataclasses import dataclass
from pathlib import Path

from smoothcert.engine.models.model import COMPOSITE, Model
from smoothcert.export.agreement import Parity
from smoothcert.export.lines import photographs_line, reduced_lines
from smoothcert.export.precision.reduce import ReducedModel, Reduction


@dataclass(frozen=True)
class CompositeReport:
    """What was written: `said` are sentences on what was inferred; parity is with the two networks
    one after the other, in float32; `reduced` tells of a lower precision made from that."""

    path: Path
    model: Model
    said: tuple[str, ...]
    parity: Parity
    reduced: ReducedModel | None = None
    reduction: Reduction | None = None

    def lines(self) -> list[str]:
        """What to print of it."""
        spec = self.model.spec
        denoiser, classifier = (self.model.metadata[name] for name in COMPOSITE)
        return [
            f"{self.path}: denoiser {denoiser['name']} in front of {classifier['name']}, "
            f"{self.model.num_classes} classes, input {spec.shape}",
            *self.said,
            photographs_line(spec),
            f"denoiser sha256 {denoiser['sha256']}, classifier sha256 {classifier['sha256']}",
            self.parity.line("with the two one after the other "),
            *([] if self.reduced is None else reduced_lines(self.reduced, self.reduction)),
            f"made for sigma {denoiser['sigma']:g}, the only one that it can be certified at",
        ]
