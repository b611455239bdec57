"""Networks as functions from images to logits, whatever they wrap their logits in."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.failing import opening
from smoothcert.engine.base.input_spec import LEVELS, InputSpec
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.models.model import check_classes
from smoothcert.export.agreement import random_images
from smoothcert.export.quietness import quiet

if TYPE_CHECKING:
    import torch
    from torch import nn

_COPIES = 4
"""Of its input, that a network holds at the least: that of a first layer."""


def run_two(module: "nn.Module", shape: tuple[int, int, int]) -> Any:
    """What a network in eval mode returns for two black images [2, C, H, W]; raises InputError
    where it does not take them."""
    import torch

    module.eval()
    try:
        check_fits(_COPIES * 2 * math.prod(shape) * 4, f"a network for images of shape {shape}",
                   "the sides of an image")  # fmt: skip
        example = torch.zeros((2, *shape))
        with quiet(), torch.inference_mode():
            return module(example)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        reason = one_line(error)
        raise InputError(
            f"the network does not accept images of shape {shape} ({reason}): "
            "give its --input-shape C,H,W"
        ) from None


def returning_logits(module: "nn.Module", shape: tuple[int, int, int]) -> "nn.Module":
    """The network itself where it returns a tensor; around one that returns an object or a dict
    with `logits`, as Hugging Face's do, a network that returns those alone."""
    found = run_two(module, shape)
    return module if _logits_of(found) is found else _around(module)


def classes_of(module: "nn.Module", shape: tuple[int, int, int], name: str) -> int:
    """The classes of a network: K of its logits [N, K]. Raises InputError where it returns none."""
    found = tuple(getattr(run_two(module, shape), "shape", ()))
    if len(found) != 2 or found[0] != 2:
        raise InputError(
            f"the network {name} returns {_told(run_two(module, shape))} for two images: expected "
            "logits (2, K); give a network that returns them alone"
        )
    check_classes(f"the network {name}", int(found[1]))
    return int(found[1])


def _told(found: Any) -> str:
    shape = getattr(found, "shape", None)
    return type(found).__name__ if shape is None else str(tuple(shape))


def _logits_of(found: Any) -> Any:
    import torch

    if isinstance(found, torch.Tensor):
        return found
    inside = found.get("logits") if isinstance(found, dict) else getattr(found, "logits", None)
    return inside if isinstance(inside, torch.Tensor) else found


def _around(module: "nn.Module") -> "nn.Module":
    from torch import nn

    class LogitsAlone(nn.Module):
        """A network whose output is the logits of another's."""

        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, images: "torch.Tensor") -> Any:
            return _logits_of(self.network(images))

    return LogitsAlone().eval()


def check_one_way(module: "nn.Module", spec: InputSpec, name: str) -> None:
    """Raise InputError where numbers that a network (in eval mode) takes out of torch, to choose by
    them in Python, differ between flat and random images.

    torch's older exporter writes the way that one image took, and leaves the others out without a
    word.
    """
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


def _is_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_numbers, value))
    return isinstance(value, bool | int | float | complex)


def _taken(module: "nn.Module", images: Any, name: str) -> list[str]:
    """The numbers that Python gets while a network runs, as text; sizes among them."""
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[str] = []

    def noted(result: Any) -> Any:
        if _is_numbers(result):
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
