"""What TensorRT says: its calls return None or False, or raise, and the reason is in its log."""

import re
from collections.abc import Callable
from typing import Any

from smoothcert.engine.base.errors import DeviceMemoryError, InputError, one_line

_KEPT = 20
# As the driver, contexts and the search for kernels put it; the last only as warnings.
_SHORTAGE = re.compile(
    r"out ?of ?memory|cudaErrorMemoryAllocation|user allocator error|insufficient memory"
    r"|memory is insufficient",
    re.IGNORECASE,
)


class LogKeeper:
    """The last errors that TensorRT logged, and the first word of a shortage of device memory."""

    def __init__(self, trt: Any) -> None:
        errors = self._errors = list[str]()
        shortages = self._shortages = list[str]()
        serious = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)
        warning = trt.ILogger.Severity.WARNING

        class _Log(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in serious:
                    errors.append(one_line(message, None))
                    del errors[:-_KEPT]
                elif severity != warning:
                    return
                if not shortages and _SHORTAGE.search(message):
                    shortages.append(one_line(message, None))

        self.logger = _Log()

    def reason(self) -> str:
        """The first error since the last call, in one line; then none is remembered."""
        return self._first() or "it gave no reason"

    def _first(self) -> str | None:
        first = self._errors[0][:400] if self._errors else None
        self._errors.clear()
        self._shortages.clear()
        return first

    def ask(self, call: Callable[[], Any], refused: Callable[[str], InputError]) -> Any:
        """What a call of TensorRT returns, if it is neither None nor False.

        Where it is, or the call raises, what `refused` makes of the reason is raised, or
        DeviceMemoryError where the device's memory was too small.
        """
        self._first()
        thrown = None
        try:
            answer = call()
        except (MemoryError, RuntimeError, TypeError, ValueError) as error:  # what pybind makes
            answer, thrown = None, one_line(error)
        if answer is None or answer is False:  # out here: `error` would keep the call's objects
            raise self.failure(refused, thrown)
        self._first()  # what went wrong on the way did no harm
        return answer

    def failure(self, refused: Callable[[str], Exception], thrown: str | None = None) -> Exception:
        """What is to be raised after a call failed: DeviceMemoryError where the log, or what was
        thrown, speaks of too little memory, else what `refused` makes of the reason."""
        shortage = self._shortages[0][:400] if self._shortages else None
        if shortage is None and thrown is not None and _SHORTAGE.search(thrown):
            shortage = thrown
        first = self._first()
        if shortage is not None:
            return DeviceMemoryError(
                f"the device has too little memory for TensorRT ({shortage}): expected a smaller "
                "--batch, or a device that nothing else fills"
            )
        return refused(first or thrown or "it gave no reason")
