"""Denoisers as users bring them: factories of torch modules, and the same as ONNX files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    """A small DnCNN: the noise is what it finds, and takes off the image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = x - self.last(torch.relu(self.norm(self.first(x))))
        return found


class Epsilon(nn.Module):
    """A diffusion model's network: (x_t, t) to the noise, and a variance where `learned`."""

    def __init__(self, channels: int, learned: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 8, 3, padding=1)
        self.time = nn.Linear(8, 8)
        self.last = nn.Conv2d(8, channels * (2 if learned else 1), 3, padding=1)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        angles = t[:, None].float() * torch.exp(-torch.arange(4.0))[None]
        time = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        found: torch.Tensor = self.last(F.silu(self.first(x) + time[:, :, None, None]))
        return found


class Blending(nn.Module):
    """Told the noise level of every image: [N]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.smooth = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        share = sigma.reshape(-1, 1, 1, 1)
        found: torch.Tensor = (1 - share) * x + share * self.smooth(x)
        return found


class Guided(nn.Module):
    """Wants a class besides, as conditional diffusion models do."""

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x


class Renoising(nn.Module):
    """Draws noise of its own, as a sampler of several steps does."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.scale * torch.randn_like(x)


class Elsewhere(nn.Module):
    """Calls a function of its images, which need not be a denoiser's."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return make()


def residual() -> nn.Module:
    return _seeded(lambda: Residual(3))


def grey_residual() -> nn.Module:
    return _seeded(lambda: Residual(1))


def epsilon() -> nn.Module:
    return _seeded(lambda: Epsilon(3))


def learned_variance() -> nn.Module:
    return _seeded(lambda: Epsilon(3, learned=True))


def blending() -> nn.Module:
    return _seeded(lambda: Blending(3))


def guided() -> nn.Module:
    return Guided()


def renoising(sigma: float) -> nn.Module:
    return Renoising(sigma)


def shrinking() -> nn.Module:
    return Elsewhere(lambda x: x[:, :, 1:, 1:])


def infinite() -> nn.Module:
    return Elsewhere(lambda x: x / 0)


def a_tuple() -> nn.Module:
    return Elsewhere(lambda x: (0.5 * x, x))


def a_word() -> nn.Module:
    return Elsewhere(lambda x: "denoised")


def centred() -> nn.Module:
    """Takes the mean of the batch off every image."""
    return Elsewhere(lambda x: x - x.mean(dim=0, keepdim=True))


def failing() -> nn.Module:
    raise RuntimeError("no weights\nat all")


NO_FACTORY = 3


def no_module() -> str:
    return "a denoiser"


def write_denoiser(
    module: nn.Module,
    path: Path,
    *examples: torch.Tensor,
    names: tuple[str, ...] = ("image",),
    open_batch: bool = True,
    opset: int = 17,
) -> Path:
    """Write a module of these inputs as ONNX, as its author would, with the older exporter."""
    with torch.inference_mode():
        torch.onnx.export(
            module.eval(),
            examples,
            str(path),
            input_names=list(names),
            output_names=["denoised"],
            dynamic_axes={name: {0: "batch"} for name in (*names, "denoised")}
            if open_batch
            else None,
            opset_version=opset,
            dynamo=False,
        )
    return path
