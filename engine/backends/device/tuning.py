"""Which of several ways to run a network is the fastest here: for --tune."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from smoothcert.engine.base.errors import DeviceMemoryError, InputError, one_line

_BLOCKS, _BLOCK_SECONDS = 3, 0.1


class Tuning:
    """Measures candidates one after the other and remembers the fastest.

    batch  rows of one launch
    A candidate that fails is passed over, and said in describe(); there must be one that works.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._rates: dict[str, float] = {}
        self._failed: dict[str, str] = {}
        self._memory: DeviceMemoryError | None = None
        self._best: tuple[str, Any] | None = None

    @contextlib.contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Within it, whatever goes wrong is this candidate's failure."""
        try:
            yield
        except Exception as error:  # compilers and runtimes raise what they like
            self._failed[name] = one_line(error)
            if isinstance(error, DeviceMemoryError):
                self._memory = error

    def measure(
        self,
        name: str,
        candidate: Any,
        launch: Callable[[], object],
        wait: Callable[[], object],
    ) -> None:
        """Time a candidate: `launch` queues (or does) a batch, `wait` waits for all of them."""
        launch()
        wait()
        once = self._seconds(1, launch, wait)
        times = max(1, round(_BLOCK_SECONDS / max(once, 1e-6)))
        best = min(self._seconds(times, launch, wait) for _ in range(_BLOCKS))
        self._rates[name] = self._batch / best
        if self._best is None or self._rates[name] > self._rates[self._best[0]]:
            self._best = (name, candidate)

    def _seconds(
        self, times: int, launch: Callable[[], object], wait: Callable[[], object]
    ) -> float:
        start = time.perf_counter()
        for _ in range(times):
            launch()
        wait()
        return (time.perf_counter() - start) / times

    def best(self) -> Any:
        """The fastest candidate. Raises the first's reason, as InputError, where none works."""
        if self._best is None:
            if self._memory is not None:
                raise self._memory
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self._failed.items())
            raise InputError(f"no way to run this network works ({reasons or 'none was tried'})")
        return self._best[1]

    def describe(self) -> dict[str, Any]:
        """What the manifest records: that it was tuned, what was taken and how fast all were."""
        taken = None if self._best is None else self._best[0]
        rates = {name: round(rate, 1) for name, rate in self._rates.items()}
        return {
            "tuned": True,
            "took": taken,
            "rows_per_second": rates,
            **({"failed": self._failed} if self._failed else {}),
        }
