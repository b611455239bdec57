"""Networks with random weights, for measuring speed without a checkpoint."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smoothcert.engine.base.errors import require
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.architectures import CIFAR, architecture
from smoothcert.export.datasets import DATASETS
from smoothcert.export.onnx_model import write_onnx
from smoothcert.export.precision.quantize import Target
from smoothcert.export.precision.reduce import Precision, Reduction, reduce_precision

if TYPE_CHECKING:
    import torch

RUNTIME_PRECISIONS = ("fp32", "bf16")
"""What an fp32 model is run in on a CPU; another precision is a model of its own."""

_IMAGES, _SIGMA = 8, 0.25


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
    precision: Precision = "fp32",
    target: Target = "cpu",
) -> Model:
    """Write an architecture with random weights as ONNX, and open it.

    input_shape, num_classes  None for the architecture's usual dataset: CIFAR-10, ImageNet, or
    MNIST for small_cnn
    precision  fp32; bf16 is fp32 too, which the runtime lowers when it is asked to; fp16, int8
    and fp8 are made from the fp32 model, calibrated on random images where they need it
    target     of int8: what the file is fast on (precision/quantize.py)
    Raises InputError for what cannot be made.
    """
    usual = DATASETS["cifar10" if arch in CIFAR else "mnist" if arch == "small_cnn" else "imagenet"]
    shape, classes = input_shape or usual.shape, num_classes or usual.num_classes
    same_channels = len(usual.mean) == shape[0]
    spec = InputSpec(
        *shape,
        mean=usual.mean if same_channels else (),
        std=usual.std if same_channels else (),
    )
    module = random_module(arch, classes, shape)
    facts = {"arch": arch, "weights": "random"}
    if precision in RUNTIME_PRECISIONS:
        write_onnx(module, spec, classes, path, facts)
    else:
        with tempfile.TemporaryDirectory() as folder:
            exported, images = Path(folder) / "float32.onnx", Path(folder) / "images.npz"
            write_onnx(module, spec, classes, exported, facts)
            _write_random_images(images, spec)
            # Votes of random weights say nothing: no layer is to be kept in float32 for them.
            reduction = Reduction(
                precision, str(images), _SIGMA, target, max_zeta=0.999, images=_IMAGES
            )
            reduce_precision(exported, path, reduction)
    return open_onnx(path)


def _write_random_images(path: Path, spec: InputSpec) -> None:
    rng = np.random.default_rng(0)
    channels, height, width = spec.shape
    pixels = rng.integers(0, 256, (_IMAGES, height, width, channels), dtype=np.uint8)
    np.savez(path, images=pixels, labels=np.zeros(_IMAGES, np.int64))
