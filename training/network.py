"""The network that is trained, and its weights under the original code's names."""

from collections.abc import Mapping

import torch
from torch import nn

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.architectures import architecture


class Normalise(nn.Module):
    """Per-channel `(x - mean) / std` of [0, 1] pixels; adds nothing to the state dict.

    It is the first layer, so that noise is added before it and radii are in pixel units.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        mean = torch.tensor(spec.mean or (0.0,) * spec.channels)
        std = torch.tensor(spec.std or (1.0,) * spec.channels)
        self.register_buffer("mean", mean.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, -1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images [N, C, H, W] of [0, 1] pixels, normalised."""
        return (x - self.mean) / self.std


def base_classifier(arch: str, num_classes: int, spec: InputSpec) -> nn.Sequential:
    """Sequential(Normalise, architecture) with fresh weights from torch's global generator.

    Raises InputError for an unknown architecture, and where it does not map images of the spec's
    shape to [N, num_classes] logits.
    """
    network = nn.Sequential(Normalise(spec), architecture(arch, num_classes, spec.shape))
    shape = "x".join(map(str, spec.shape))
    try:
        with torch.no_grad():
            logits = network.eval()(torch.zeros(1, *spec.shape))
    except Exception as error:  # whatever layers raise on a shape they cannot take
        reason = one_line(error)
        raise InputError(
            f"architecture {arch} cannot take images of {shape} ({reason}): expected it to; "
            "choose another, or another --input-shape"
        ) from None
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, num_classes):
        found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError(
            f"architecture {arch} answers an image of {shape} with {found}: expected logits of "
            f"shape (1, {num_classes})"
        )
    return network


def original_state(network: nn.Sequential, dataset: str | None) -> dict[str, torch.Tensor]:
    """The weights, on the CPU, as the original code names them: `1.*`, or `1.module.*` for
    ImageNet, whose network it wraps in DataParallel."""
    prefix = _prefix(dataset)
    inner: Mapping[str, torch.Tensor] = network[1].state_dict()
    return {prefix + name: value.detach().cpu().clone() for name, value in inner.items()}


def load_original_state(
    network: nn.Sequential, state: Mapping[str, torch.Tensor], dataset: str | None
) -> None:
    """The inverse of original_state. Raises RuntimeError where names or shapes differ."""
    prefix = _prefix(dataset)
    network[1].load_state_dict({name.removeprefix(prefix): v for name, v in state.items()})


def _prefix(dataset: str | None) -> str:
    return "1.module." if dataset == "imagenet" else "1."
