"""A denoiser in an ONNX file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.kinds import Kind, kind_of, refusal_of
from smoothcert.engine.models.model import check_file, onnx_digest
from smoothcert.engine.models.onnx_graph import GraphValue, quiet_session
from smoothcert.engine.models.unloadable import plain, refusal
from smoothcert.export.composite.bound_inputs import bind, value_of
from smoothcert.export.composite.conditions import is_told, told
from smoothcert.export.composite.denoiser import Denoiser, Images
from smoothcert.export.composite.options import Level
from smoothcert.export.composite.parts import at_least, read

_RANK = 4


def from_file(
    path: Path,
    level: Level,
    asked: tuple[int, int, int] | None,
    classifier: tuple[int, int, int],
) -> Denoiser:
    """The network in an ONNX file: float32 images in, images out; its noise level or timestep, if
    it takes one, becomes a constant.

    asked       C, H, W that it is to be given, where it leaves its sides open
    classifier  those of the classifier, where nothing else is said
    Raises InputError for anything else, and for what ONNX Runtime cannot run.
    """
    check_file(path, "denoiser")
    kind = kind_of(path)
    if kind is not Kind.ONNX:
        raise _refusal(path, kind)
    session = _session(path)
    inputs = [GraphValue(v.name, v.type, list(v.shape)) for v in session.get_inputs()]
    outputs = [GraphValue(v.name, v.type, list(v.shape)) for v in session.get_outputs()]
    image, beside = _image(path, inputs)
    sides = _Sides.of(path, image, asked, classifier)
    condition = None if beside is None else told(str(path), beside.name, level)
    denoised = _denoised(path, outputs)

    def graph() -> Any:
        model = at_least(read(path, "denoiser"), f"denoiser {path}")
        if beside is not None and condition is not None:
            bind(model, image.name, beside, condition, sides.laid)
        return model

    def run(images: Images) -> Images:
        laid = images.transpose(0, 2, 3, 1) if sides.channels_last else images
        feeds: dict[str, Any] = {image.name: np.ascontiguousarray(laid)}
        if beside is not None and condition is not None:
            feeds[beside.name] = value_of(beside, condition, laid.shape)
        try:
            (found,) = session.run([denoised.name], feeds)
        except Exception as error:  # the runtime's exceptions share no public base class
            raise InputError(
                f"denoiser {path} does not run on images {list(laid.shape)} ({plain(error)}): "
                "give the --denoiser-shape C,H,W that it was trained on"
            ) from None
        back: Images = found
        return back.transpose(0, 3, 1, 2) if sides.channels_last and back.ndim == _RANK else back

    return Denoiser(
        path.name,
        onnx_digest(path),
        graph,
        image.name,
        denoised.name,
        sides.shape,
        sides.batch,
        run,
        channels_last=sides.channels_last,
        told=condition,
    )


def _session(path: Path) -> Any:
    try:
        return quiet_session(path, threads=usable_cores())
    except Exception as error:  # the runtime's exceptions share no public base class
        raise refusal(path, error) from None


def _refusal(path: Path, kind: Kind) -> InputError:
    if kind.checkpoint or kind is Kind.TORCHSCRIPT:
        return InputError(
            f"denoiser {path} is {kind.value}: expected an ONNX file, or pkg.module:factory of a "
            "function of yours that returns the module with these weights"
        )
    if kind.ours:
        return InputError(f"denoiser {path} is {kind.value}: expected an ONNX file; give that one")
    return refusal_of(path, kind, "denoiser")


def _image(path: Path, inputs: list[GraphValue]) -> tuple[GraphValue, GraphValue | None]:
    """The input that takes the images, and the one beside it."""
    images = [value for value in inputs if len(value.shape) == _RANK and not is_told(value.name)]
    if len(images) != 1 or len(inputs) > 2:
        names = ", ".join(map(str, inputs)) or "none"
        raise InputError(
            f"denoiser {path} has the inputs {names}: expected images [N, C, H, W], and at most "
            "their noise level or timestep beside them; export it again with the rest fixed"
        )
    if images[0].type != "tensor(float)":
        raise InputError(
            f"denoiser {path} takes {images[0].made_of}: expected float32 images; export it in "
            "float32, and let --precision reduce the composite"
        )
    beside = [value for value in inputs if value is not images[0]]
    return images[0], beside[0] if beside else None


def _denoised(path: Path, outputs: list[GraphValue]) -> GraphValue:
    """The output that can be images: the only one, or the only one of four dimensions."""
    images = [value for value in outputs if len(value.shape) == _RANK]
    if len(outputs) == 1 or len(images) == 1:
        return (images or outputs)[0]
    names = ", ".join(map(str, outputs))
    raise InputError(
        f"denoiser {path} has the outputs {names}: expected one that is the denoised image; export "
        "it again with that one"
    )


@dataclass(frozen=True)
class _Sides:
    """C, H, W of the images, their batch where it is fixed, and whether channels are last."""

    shape: tuple[int, int, int]
    batch: int | None
    channels_last: bool

    @property
    def laid(self) -> tuple[int, int, int]:
        """The three as the graph has them."""
        channels, height, width = self.shape
        return (height, width, channels) if self.channels_last else self.shape

    @classmethod
    def of(
        cls,
        path: Path,
        image: GraphValue,
        asked: tuple[int, int, int] | None,
        classifier: tuple[int, int, int],
    ) -> "_Sides":
        batch, first, second, third = image.shape
        wanted = asked or classifier
        channels = classifier[0]
        # As many channels as the classifier has: where they can be first, they are.
        can_be_first = first == channels or (not isinstance(first, int) and third == wanted[2])
        last = third == channels and not can_be_first
        own = (third, first, second) if last else (first, second, third)
        shape = tuple(
            side if isinstance(side, int) else want for side, want in zip(own, wanted, strict=True)
        )
        if asked is not None and shape != asked:
            raise InputError(
                f"denoiser-shape {','.join(map(str, asked))} does not fit denoiser {path}, which "
                f"takes {image}: leave --denoiser-shape out"
            )
        return cls((shape[0], shape[1], shape[2]), batch if isinstance(batch, int) else None, last)
