"""Networks with random weights, for measuring speed without a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING

from smoothcert.engine.errors import InputError
from smoothcert.engine.input_spec import InputSpec
from smoothcert.engine.models import Model, open_onnx
from smoothcert.engine.optional import require
from smoothcert.export.architectures import CIFAR, architecture
from smoothcert.export.checkpoint_export import DATASETS
from smoothcert.export.onnx_model import write_onnx

if TYPE_CHECKING:
    import torch

RUNTIME_PRECISIONS = ("fp32", "bf16")
"""What an fp32 model is run in on a CPU; another precision is a model of its own."""


def random_module(arch: str, num_classes: int, shape: tuple[int, int, int]) -> "torch.nn.Module":
    """A network of the architecture in eval mode; its weights are the same every time."""
    torch = require("torch", "export", f"architecture {arch}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return architecture(arch, num_classes, shape).eval()


def write_random_model(
    arch: str,
    path: Path,
    *,
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    precision: str = "fp32",
) -> Model:
    """Write an architecture with random weights as ONNX, and open it.

    input_shape, num_classes  None for the architecture's usual dataset: CIFAR-10, ImageNet, or
    MNIST for small_cnn
    precision  fp32, and bf16 (which the runtime lowers an fp32 model to); another one raises
    InputError here, because it takes calibration: `smoothcert export` makes such a model
    """
    usual = DATASETS["cifar10" if arch in CIFAR else "mnist" if arch == "small_cnn" else "imagenet"]
    shape, classes = input_shape or usual.shape, num_classes or usual.num_classes
    same_channels = len(usual.mean) == shape[0]
    spec = InputSpec(
        *shape,
        mean=usual.mean if same_channels else (),
        std=usual.std if same_channels else (),
    )
    if precision not in RUNTIME_PRECISIONS:
        raise InputError(
            f"precision {precision} is not made from random weights: expected "
            f"{' or '.join(RUNTIME_PRECISIONS)}; give a MODEL that "
            f"`smoothcert export --precision {precision}` made"
        )
    module = random_module(arch, classes, shape)
    write_onnx(module, spec, classes, path, {"arch": arch, "weights": "random"})
    return open_onnx(path)
