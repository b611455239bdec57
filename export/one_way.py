"""Does a network take one way whatever its images hold? torch's older exporter writes the way that
one image took, and would leave the others out without a word."""

from typing import TYPE_CHECKING, Any

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.failing import opening
from smoothcert.engine.base.input_spec import LEVELS, InputSpec
from smoothcert.export.agreement import random_images
from smoothcert.export.quietness import quiet

if TYPE_CHECKING:
    from torch import nn


def check_one_way(module: "nn.Module", spec: InputSpec, name: str) -> None:
    """Raise InputError where numbers that a network (in eval mode) takes out of torch, to choose by
    them in Python, differ between flat and random images."""
    noise = np.stack(random_images(spec.shape, 4)).astype(np.int64)
    black = np.zeros_like(noise[:2])
    scale, shift = (values[:, None, None] for values in spec.affine())
    # Noisy pixels are not confined to 0..255.
    pairs = [black, black + LEVELS, black - LEVELS, noise[:2], 3 * noise[2:] - LEVELS]
    taken = [_taken(module, pixels * scale + shift, name) for pixels in pairs]
    if any(each != taken[0] for each in taken[1:]):
        raise InputError(
            f"the network {name} chooses its way by the values of its images (an if, a loop or "
            ".item() in forward()), and an ONNX file of it would keep one way alone: expected the "
            "same operations for every image; write the choice with torch.where"
        )


def _taken(module: "nn.Module", images: Any, name: str) -> list[str]:
    """The numbers that Python gets while a network runs, as text; sizes among them."""
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[str] = []

    def noted(result: Any) -> Any:
        if isinstance(result, bool | int | float | complex | list):
            found.append(repr(result))
        elif isinstance(result, np.ndarray):
            found.append(result.tobytes().hex())
        return result

    class Called(TorchFunctionMode):
        """Tensors' own methods, such as tolist and numpy."""

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return noted(func(*args, **(kwargs or {})))

    class Dispatched(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """What torch runs, such as for item and bool."""

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return noted(func(*args, **(kwargs or {})))

    listening = Dispatched()  # type: ignore[no-untyped-call]
    with opening(f"the network {name}"), quiet(), torch.inference_mode(), listening, Called():
        module(torch.from_numpy(images.astype(np.float32)))
    return found
