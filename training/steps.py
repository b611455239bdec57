"""What a step computes: logits of noisy images, their loss, and the sums an epoch reports."""

import torch
from torch import nn
from torch.nn import functional

from smoothcert.engine.base.input_spec import LEVELS
from smoothcert.training.consistency import consistency_loss
from smoothcert.training.processes import Processes
from smoothcert.training.settings import TrainSettings


def noisy_logits(
    network: nn.Module, images: torch.Tensor, sigma: float, copies: int, bf16: bool
) -> torch.Tensor:
    """float32 [copies, N, K]: the network's logits for `copies` noisy versions of each image.

    images  uint8 [N, C, H, W]; Gaussian noise of level sigma is added to them as [0, 1] pixels,
            drawn from torch's global generators. The network runs under bf16 autocast if asked.
    """
    pixels = images.to(torch.float32, memory_format=torch.channels_last).div_(LEVELS)
    pixels = pixels.repeat(copies, 1, 1, 1)
    pixels.add_(torch.randn_like(pixels), alpha=sigma)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
        logits: torch.Tensor = network(pixels)
    return logits.float().view(copies, len(images), -1)


def loss_sum(logits: torch.Tensor, labels: torch.Tensor, settings: TrainSettings) -> torch.Tensor:
    """The training loss of logits [m, N, K], summed over the images, averaged over the copies."""
    copies = len(logits)
    loss = (
        functional.cross_entropy(logits.flatten(0, 1), labels.repeat(copies), reduction="sum")
        / copies
    )
    if settings.consistency:
        loss = loss + consistency_loss(logits, settings.consistency, settings.eta)
    return loss


class Totals:
    """Sums over the images of an epoch, kept on the device: reading them makes it wait."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._images = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Count the summed loss and the logits [m, N, K] of one step."""
        correct = (logits.detach().argmax(dim=2) == labels).sum() / len(logits)
        self._sums += torch.stack([loss.detach(), correct])
        self._images += len(labels)

    def means(self, place: Processes | None = None) -> tuple[float, float]:
        """Mean loss and accuracy in per cent, of all processes of `place` or of this one."""
        sums = torch.cat([self._sums, self._sums.new_tensor([self._images])])
        loss, correct, images = (place.total(sums) if place else sums).tolist()
        return loss / images, 100 * correct / images
