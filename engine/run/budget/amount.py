"""How much a run may spend: of samples, or of time."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import BUDGET_SAMPLES, BUDGET_SECONDS
from smoothcert.engine.base.wording import shown

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"([0-9.eE+]+)([smhd])")


@dataclass(frozen=True)
class Budget:
    """One of the two; the other is None."""

    samples: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, value: object) -> "Budget":
        """Of "30m" (s, m, h or d), or of a number of samples, 50000000 or "5e7".

        Raises InputError for anything else, and for numbers out of range.
        """
        text = value.strip() if isinstance(value, str) else value
        if isinstance(text, str):
            if match := _TIME.fullmatch(text):
                number = BUDGET_SECONDS.read(match[1], "budget") * _UNITS[match[2]]
                return cls(seconds=float(BUDGET_SECONDS.check(number, "budget in seconds")))
            if not BUDGET_SECONDS.spells(text):
                raise InputError(
                    f"budget {shown(value)} is none: expected a time such as 30m or 2h, or samples "
                    "such as 5e7"
                )
            text = float(text)
        if isinstance(text, float) and text.is_integer():
            text = int(text)
        return cls(samples=BUDGET_SAMPLES.whole_number(text, "budget"))


class Meter:
    """What of a budget is spent, and what it leaves; time counts from here on.

    Whether a step is done in time is judged by the samples per second so far.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._start = clock()
        self._begun = 0
        self._done = 0

    def begin(self, samples: int) -> bool:
        """Begin a step of so many samples, if the budget has them."""
        if not self._has(samples):
            return False
        self._begun += samples
        return True

    def take_back(self, samples: int) -> None:
        """A step that was begun is not drawn after all."""
        self._begun -= samples

    def end(self, samples: int) -> None:
        """A step that was begun is through."""
        self._done += samples

    def left(self) -> Budget:
        """What of the budget is not spent."""
        if self._budget.samples is not None:
            return Budget(samples=self._budget.samples - self._begun)
        assert self._budget.seconds is not None
        return Budget(seconds=self._budget.seconds - (self._clock() - self._start))

    def _has(self, samples: int) -> bool:
        if self._budget.samples is not None:
            return self._begun + samples <= self._budget.samples
        assert self._budget.seconds is not None
        elapsed = self._clock() - self._start
        left = self._budget.seconds - elapsed
        waiting = self._begun - self._done + samples
        return left > 0 and (self._done == 0 or waiting * elapsed <= left * self._done)
