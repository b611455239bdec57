"""log.txt: a line per epoch, with the columns of the original code's log."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from smoothcert.engine.log.rows import format_time

HEADER = "epoch\ttime\tlr\ttrain loss\ttrain acc\ttestloss\ttest acc\n"


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; losses are means per image, accuracies per cent, under noise.

    lr is that of its last step. Without a test source the test columns are nan.
    """

    epoch: int
    seconds: float
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float = math.nan
    test_accuracy: float = math.nan

    def line(self) -> str:
        """The epoch's line of log.txt."""
        numbers = (self.lr, self.train_loss, self.train_accuracy, self.test_loss)
        fields = [f"{value:.6g}" for value in (*numbers, self.test_accuracy)]
        return "\t".join([str(self.epoch), format_time(self.seconds), *fields]) + "\n"


def text(epochs: Iterable[Epoch]) -> str:
    """The whole of log.txt."""
    return HEADER + "".join(epoch.line() for epoch in epochs)
