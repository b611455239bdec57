"""A denoiser, from wherever it comes: images in, images of the same size out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.export.composite.conditions import Told

Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Denoiser:
    """One network of the images alone: what else it takes is a constant by now.

    name, sha256   how the user called it, and the digest of its file or of its weights
    graph          makes its onnx.ModelProto, with one input, `image`, and the output `denoised`
    shape          C, H, W of the images it takes
    batch          its rows where they are fixed, else None
    run            the same outside the graph: float32 [N, C, H, W] in the denoiser's pixel units ->
                   what it returns, [N, C, H, W] or [N, 2 C, H, W]
    channels_last  images are [N, H, W, C] to the graph
    flat           the graph returns the images as [N, C * H * W]
    told           what it is told of the noise, beside the images
    channels       of what it returns: C, or 2 C of a diffusion model that learned its variance too,
                   which then is the second half; 0 where it has not been asked yet
    """

    name: str
    sha256: str
    graph: Callable[[], Any]
    image: str
    denoised: str
    shape: tuple[int, int, int]
    batch: int | None
    run: Callable[[Images], Images]
    channels_last: bool = False
    flat: bool = False
    told: Told | None = None
    channels: int = 0
