"""The classifier behind a denoiser: whether the two fit, what they take, and what is said of it."""

from dataclasses import dataclass
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.kinds import Kind, kind_of
from smoothcert.engine.models.model import Model
from smoothcert.export.composite.denoiser import Denoiser

_OF_THE_FILE = (
    "num_classes", "opset", "precision", "resize", "interpolation", "versions", "said",
)  # fmt: skip
"""Entries of a classifier's metadata that are the composite's own."""

_PHOTOGRAPH = 128
"""From this side on the composite's images are photographs that may be resized to it."""


@dataclass(frozen=True)
class Classifier:
    """A model, and what it is called."""

    model: Model
    name: str
    sha256: str

    def check(self) -> None:
        """Raise InputError unless it is one float32 ONNX network without a denoiser."""
        kind = kind_of(self.model.path)
        if kind is not Kind.ONNX:
            raise InputError(
                f"classifier {self.name} is {kind.value}: expected ONNX or a checkpoint, which a "
                "denoiser can be put in front of"
            )
        before = self.model.metadata.get("denoiser")
        if before is not None:
            called = before.get("name") if isinstance(before, dict) else before
            raise InputError(
                f"classifier {self.name} has a denoiser in front already ({called}): expected a "
                "classifier alone"
            )
        if self.model.precision != "fp32":
            raise InputError(
                f"classifier {self.name} is {self.model.precision}: expected fp32; give its "
                "float32 model, and let --precision reduce the composite"
            )

    def facts(self) -> dict[str, Any]:
        """What the metadata says of it: where it comes from, and what it takes."""
        own = {**self.model.spec.to_metadata(), **self.model.metadata}
        kept = {key: value for key, value in own.items() if key not in _OF_THE_FILE}
        return {"name": self.name, "sha256": self.sha256, **kept}


def common_batch(denoiser: Denoiser, classifier: Classifier) -> int | None:
    """The rows of both, where one of them has them fixed; raises InputError where both have, and
    differ."""
    found = classifier.model.batch
    own = found if isinstance(found, int) else None
    if own is not None and denoiser.batch not in (None, own):
        raise InputError(
            f"denoiser {denoiser.name} takes batches of {denoiser.batch} and classifier "
            f"{classifier.name} of {own}: expected one size; export one of them with an open batch "
            "dimension"
        )
    return own or denoiser.batch


def check_sides(denoiser: Denoiser, spec: InputSpec) -> None:
    """Raise InputError where what the denoiser returns cannot be resized to the classifier's input
    without distorting it."""
    _, height, width = denoiser.shape
    if height * spec.width != width * spec.height:
        raise InputError(
            f"denoiser {denoiser.name} returns images {height}x{width} and the classifier takes "
            f"{spec.height}x{spec.width}: expected sides of the same ratio, or resizing would "
            "distort them; give another --denoiser-shape C,H,W"
        )


def input_of(shape: tuple[int, int, int], classifier: InputSpec) -> InputSpec:
    """What a composite takes: pixels of the denoiser's C, H, W; photographs are prepared as for the
    classifier, or cut to the denoiser's square where that has another size."""
    channels, height, width = shape
    resize = classifier.resize
    if (height, width) != (classifier.height, classifier.width):
        photographs = resize is not None and min(height, width) >= _PHOTOGRAPH
        resize = max(height, width) if photographs else None
    return InputSpec(channels, height, width, resize=resize, interpolation=classifier.interpolation)
