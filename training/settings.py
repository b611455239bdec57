"""How a base classifier is trained: the settings that decide its weights."""

import math
from dataclasses import dataclass

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import (
    CONSISTENCY,
    ETA,
    GAMMA,
    LR,
    LR_STEP,
    MOMENTUM,
    NOISES,
    PICTURED_SIGMA,
    SEED,
    TRAINING_BATCH,
    TRAINING_EPOCHS,
    WEIGHT_DECAY,
)

SCHEDULES = ("step", "one-cycle")

_RANGES = {
    "sigma": PICTURED_SIGMA,
    "epochs": TRAINING_EPOCHS,
    "batch": TRAINING_BATCH,
    "lr": LR,
    "lr_step": LR_STEP,
    "gamma": GAMMA,
    "momentum": MOMENTUM,
    "weight_decay": WEIGHT_DECAY,
    "consistency": CONSISTENCY,
    "consistency_noises": NOISES,
    "eta": ETA,
    "seed": SEED,
}

# The share of a one-cycle run in which the learning rate rises.
_RISE = 0.2


@dataclass(frozen=True)
class TrainSettings:
    """SGD on noisy images; the defaults are those of the original code.

    sigma         noise level in [0, 1]-pixel units, 0 or in [0.0002, 4]
    batch         images per step, of all processes together
    schedule      "step": lr * gamma^(epoch // lr_step); "one-cycle": a linear rise to lr over the
                  first fifth of the run, then a half cosine down to 0
    crop_flip     random crops and horizontal flips
    consistency   weight of the consistency regulariser (consistency.py), 0 for none; it sees
                  consistency_noises noisy copies of each image, eta weighs its entropy term

    Raises InputError for values out of range (engine/base/ranges.py).
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
        for name, range_ in _RANGES.items():
            range_.check(getattr(self, name))
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
