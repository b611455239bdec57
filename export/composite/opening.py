"""From what --denoiser names to a denoiser that has been seen to be one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.row_independence.hazards import RANDOM, inside
from smoothcert.export.composite.denoiser import Denoiser
from smoothcert.export.composite.denoiser_factory import from_factory
from smoothcert.export.composite.denoiser_file import from_file
from smoothcert.export.composite.options import DenoiserOptions, Level

_ROUNDING = 1e-3
"""Kernels that sum in another order differ by about 1e-6 of an image's scale."""

DRAWS_NOISE = (
    "a denoiser that draws noise is no function of the image, and no certificate would hold: use "
    "one deterministic step, as --diffusion makes of a diffusion model"
)


def open_denoiser(
    options: DenoiserOptions, level: Level, classifier: tuple[int, int, int]
) -> Denoiser:
    """The denoiser that --denoiser names, run and found to be one.

    classifier   C, H, W of the classifier's images, which a denoiser that takes any size gets too
    Raises InputError where it cannot be made or run, where it returns anything but an image of the
    same size, and where it draws noise.
    """
    name = options.denoiser
    path = Path(name)
    if path.exists() or path.suffix == ".onnx":
        found = from_file(path, level, options.shape, classifier)
    elif ":" in name:
        found = from_factory(name, level, options.shape or classifier)
    else:
        raise InputError(
            f"denoiser {name!r} is no file: expected an ONNX file, or pkg.module:factory of a "
            "torch module"
        )
    if found.shape[0] != classifier[0]:
        raise InputError(
            f"denoiser {name} takes images {list(found.shape)} and the classifier "
            f"{list(classifier)}: expected as many channels; give a denoiser of its images"
        )
    return replace(found, channels=_channels(found, level))


def _channels(denoiser: Denoiser, level: Level) -> int:
    """How many it returns for noisy grey images; raises InputError unless they fit."""
    rows, (channels, height, width) = denoiser.batch or 2, denoiser.shape
    noise = np.random.default_rng(0).normal(0.5, level.sigma, (rows, channels, height, width))
    images = (level.low + (level.high - level.low) * noise).astype(np.float32)
    once = denoiser.run(images)
    sizes = {(rows, channels, height, width)}
    if level.step is not None:
        sizes.add((rows, 2 * channels, height, width))
    if once.shape not in sizes:
        raise InputError(
            f"denoiser {denoiser.name} returns {list(once.shape)} for images "
            f"{list(images.shape)}: expected images of the same shape; {_advice(once.shape, rows)}"
        )
    if not np.isfinite(once).all():
        raise InputError(
            f"denoiser {denoiser.name} returns values that are not finite: expected images; check "
            "its weights and --denoiser-range"
        )
    apart = float(np.abs(denoiser.run(images) - once).max())
    if apart > _ROUNDING * float(np.abs(once).max()):
        raise InputError(
            f"denoiser {denoiser.name}{_drawing(denoiser.graph())} returns other images when it is "
            f"run again, up to {apart:.2g} apart: {DRAWS_NOISE}"
        )
    return int(once.shape[1])


def _drawing(model: Any) -> str:
    """Its nodes that draw random numbers, in words; nothing where none is known to."""
    nodes = (inner for node in model.graph.node for inner in (node, *inside(node)))
    drawing = [node for node in nodes if node.op_type in (*sorted(RANDOM), "Dropout")]
    return "".join(f", node {n.name or n.output[0]!r} ({n.op_type})," for n in drawing[:1])


def _advice(found: tuple[int, ...], rows: int) -> str:
    if len(found) != 4 or found[0] != rows:
        return "give a network whose one output is the denoised image"
    return (
        "give the --denoiser-shape C,H,W that it was trained on, or --diffusion where it is a "
        "diffusion model that learned its variance"
    )
