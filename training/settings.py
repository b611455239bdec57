"""How a base classifier is trained: the settings that decide its weights."""

import math
from dataclasses import dataclass

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import MAX_SIGMA

SCHEDULES = ("step", "one-cycle")

# The share of a one-cycle run in which the learning rate rises.
_RISE = 0.2


@dataclass(frozen=True)
class TrainSettings:
    """SGD on noisy images; the defaults are those of the original code.

    sigma         noise level in [0, 1]-pixel units, in [0, 4]
    batch         images per step, of all processes together
    schedule      "step": lr * gamma^(epoch // lr_step); "one-cycle": a linear rise to lr over the
                  first fifth of the run, then a half cosine down to 0
    crop_flip     random crops and horizontal flips
    consistency   weight of the consistency regulariser (consistency.py), 0 for none; it sees
                  consistency_noises noisy copies of each image, eta weighs its entropy term

    Raises InputError for values out of range.
    """

    arch: str
    sigma: float
    epochs: int = 90
    batch: int = 256
    lr: float = 0.1
    schedule: str = "step"
    lr_step: int = 30
    gamma: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    crop_flip: bool = False
    consistency: float = 0.0
    consistency_noises: int = 2
    eta: float = 0.5
    bf16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for name, value, least in (
            ("epochs", self.epochs, 1),
            ("batch", self.batch, 2),
            ("lr-step", self.lr_step, 1),
            ("consistency-noises", self.consistency_noises, 2),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise InputError(f"{name} {value} is too small: expected at least {least}")
        for name, number, low, high in (
            ("sigma", self.sigma, 0.0, MAX_SIGMA),
            ("lr", self.lr, 0.0, math.inf),
            ("gamma", self.gamma, 0.0, 1.0),
            ("momentum", self.momentum, 0.0, 1.0),
            ("weight-decay", self.weight_decay, 0.0, math.inf),
            ("consistency", self.consistency, 0.0, math.inf),
            ("eta", self.eta, 0.0, math.inf),
        ):
            if not low <= number <= high or math.isinf(number):
                upper = f"at most {high:g}" if math.isfinite(high) else "finite"
                raise InputError(f"{name} {number} is out of range: expected >= {low:g}, {upper}")
        if self.schedule not in SCHEDULES:
            raise InputError(
                f"schedule {self.schedule!r} is unknown: expected {' or '.join(SCHEDULES)}"
            )

    @property
    def copies(self) -> int:
        """Noisy copies of each image in a training step."""
        return self.consistency_noises if self.consistency else 1

    def learning_rate(self, epoch: int, done: float) -> float:
        """The learning rate in `epoch` (from 0) when a share `done` of it, in [0, 1), is over."""
        if self.schedule == "step":
            return self.lr * self.gamma ** (epoch // self.lr_step)
        over = (epoch + done) / self.epochs
        if over < _RISE:
            return self.lr * over / _RISE
        return self.lr * (1 + math.cos(math.pi * (over - _RISE) / (1 - _RISE))) / 2
