"""A denoiser that a function of the user's makes: a torch module."""

import inspect
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.architectures.factories import check_module, factory_at, made, parameters_of
from smoothcert.export.checkpoint_opening import state_digest
from smoothcert.export.composite.conditions import Told, is_told, told
from smoothcert.export.composite.denoiser import Denoiser, Images
from smoothcert.export.composite.options import Level
from smoothcert.export.onnx_model import write_onnx

if TYPE_CHECKING:
    from torch import nn

_WHAT = "denoiser"
_INPUT, _OUTPUT = "input", "logits"
"""What write_onnx calls the two."""


def from_factory(name: str, level: Level, shape: tuple[int, int, int]) -> Denoiser:
    """The module that `pkg.module:factory` returns, in eval mode, with the weights that it has.

    The factory is given sigma (of [0, 1] pixels) if it takes it. The module maps images
    [N, C, H, W] to images; one that takes a noise level or a timestep too gets it, as [N].
    Raises InputError where there is no such factory, or no module of that kind comes of it.
    """
    torch = require("torch", "export", f"denoiser {name}")
    module = _made(name, level.sigma)
    if isinstance(module, torch.nn.DataParallel):
        module = module.module
    module = module.cpu().float().eval()
    condition = _condition(name, module, level)
    network = _of_images(name, module, condition)

    def run(images: Images) -> Images:
        try:
            with torch.inference_mode():
                denoised: Images = network(torch.from_numpy(images)).numpy()
        except InputError:
            raise
        except Exception as error:  # whatever a module raises
            raise InputError(
                f"denoiser {name} does not run on images {list(images.shape)} ({one_line(error)}): "
                "give the --denoiser-shape C,H,W that it was trained on"
            ) from None
        return denoised

    def graph() -> Any:
        size = run(np.zeros((1, *shape), np.float32)).size
        return _graph(name, network, shape, size)

    return Denoiser(
        name,
        state_digest(module),
        graph,
        _INPUT,
        _OUTPUT,
        shape,
        batch=None,
        run=run,
        flat=True,
        told=condition,
    )


def _made(name: str, sigma: float) -> "nn.Module":
    factory = factory_at(name, _WHAT, ", or an ONNX file")
    known = {"sigma": sigma} if "sigma" in parameters_of(factory) else {}
    advice = "expected a function that returns the trained module, given nothing or sigma"
    module: nn.Module = check_module(made(factory, name, _WHAT, advice, **known), name, _WHAT)
    return module


def _condition(name: str, module: "nn.Module", level: Level) -> Told | None:
    """What the module's forward takes beside the images, and is to be told."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    beside = [p for p in parameters_of(module.forward).values() if p.kind in positional][1:]
    needed = [p.name for p in beside if p.default is inspect.Parameter.empty]
    if len(needed) > 1:
        raise InputError(
            f"denoiser {name} takes {', '.join(needed)} beside the images: expected at most its "
            "noise level or timestep; return a module that knows the rest"
        )
    if needed:
        return told(name, needed[0], level)
    if beside and is_told(beside[0].name):
        return told(name, beside[0].name, level)
    return None


def _of_images(name: str, module: "nn.Module", condition: Told | None) -> "nn.Module":
    """The module as a function of the images alone."""
    import torch

    class OfImages(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            told = []
            if condition is not None:
                kind = torch.int64 if condition.kind == "timestep" else torch.float32
                told.append(torch.full((images.shape[0],), condition.value, dtype=kind))
            image: torch.Tensor = _image(name, self.module(images, *told))
            return image

    return OfImages().eval()


def _image(name: str, output: Any) -> Any:
    """The image of what a module returns: itself, its first, or its `sample` (as of diffusers)."""
    import torch

    if not isinstance(output, torch.Tensor):
        first = output[0] if isinstance(output, tuple | list) and output else None
        output = getattr(output, "sample", first)
    if not isinstance(output, torch.Tensor):
        raise InputError(f"denoiser {name} returns no tensor: expected images [N, C, H, W]")
    return output


def _graph(name: str, network: "nn.Module", shape: tuple[int, int, int], size: int) -> Any:
    """Its graph, whose output is an image as one row: what write_onnx writes are rows."""
    onnx = require("onnx", "export", "exporting to ONNX")
    import torch

    flat = torch.nn.Sequential(network, torch.nn.Flatten(1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "denoiser.onnx"
        try:
            write_onnx(flat, InputSpec(*shape), size, path, {})
        except InputError as error:
            raise InputError(f"denoiser {name}: {error}") from None
        return onnx.load(str(path))
