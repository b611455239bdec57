"""What is kept of TensorRT's log, and what becomes of a call that fails."""

import gc
import weakref
from typing import Any

import pytest

from smoothcert.engine.backends.tensorrt.log import LogKeeper
from smoothcert.engine.base.errors import DeviceMemoryError, InputError

trt = pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")

SEVERITY = trt.ILogger.Severity


@pytest.fixture
def log() -> LogKeeper:
    return LogKeeper(trt)


def test_the_log_keeps_errors_and_gives_the_first(log: LogKeeper) -> None:
    assert log.reason() == "it gave no reason"
    log.logger.log(SEVERITY.WARNING, "a warning")
    log.logger.log(SEVERITY.ERROR, "the first\n  line")
    log.logger.log(SEVERITY.INTERNAL_ERROR, "the second")
    assert log.reason() == "the first line"
    assert log.reason() == "it gave no reason"


def raising(error: Exception) -> Any:
    raise error


def logging(log: LogKeeper, answer: Any, *said: tuple[Any, str]) -> Any:
    for severity, message in said:
        log.logger.log(severity, message)
    return answer


def test_what_a_call_returns_is_given_on(log: LogKeeper) -> None:
    assert log.ask(lambda: "an engine", InputError) == "an engine"
    assert log.ask(lambda: "", InputError) == ""  # only None and False are failures
    assert log.ask(lambda: logging(log, True, (SEVERITY.ERROR, "out of memory")), InputError)
    # What did not stop that call is no reason of a later one's.
    assert log.reason() == "it gave no reason"
    with pytest.raises(InputError, match="it gave no reason") as caught:
        log.ask(lambda: None, InputError)
    assert not isinstance(caught.value, DeviceMemoryError)


@pytest.mark.parametrize("answer", [None, False])
def test_no_answer_is_raised_with_the_logs_reason(log: LogKeeper, answer: Any) -> None:
    log.logger.log(SEVERITY.ERROR, "of an earlier call")
    with pytest.raises(InputError, match=r"^cannot: the reason$"):
        log.ask(
            lambda: logging(log, answer, (SEVERITY.ERROR, "the reason"), (SEVERITY.ERROR, "more")),
            lambda reason: InputError(f"cannot: {reason}"),
        )


@pytest.mark.parametrize("kind", [MemoryError, RuntimeError, TypeError, ValueError])
def test_what_a_call_raises_is_one_line(log: LogKeeper, kind: type[Exception]) -> None:
    with pytest.raises(InputError, match=r"^a failure of pybind's$"):
        log.ask(lambda: raising(kind("a failure\nof pybind's")), InputError)

    def explained() -> Any:
        log.logger.log(SEVERITY.ERROR, "CUDA initialization failure with error: 35")
        raise kind("pybind11::init(): factory function returned nullptr")

    with pytest.raises(InputError, match=r"^CUDA initialization failure with error: 35$"):
        log.ask(explained, InputError)


@pytest.mark.parametrize(
    "message",
    [
        "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)",
        "[executionContext.cpp::initialize::644] Error Code 2: OutOfMemory (Requested size was 9)",
        "Error Code: 9: Skipping tactic due to exception User allocator error allocating 9-byte",
        "CUDA error: cudaErrorMemoryAllocation",
    ],
)
def test_too_little_memory_is_an_error_of_its_own(log: LogKeeper, message: str) -> None:
    said = [(SEVERITY.ERROR, "Could not find any implementation for node conv")]
    for place in (0, 1):  # it need not be what is logged first
        said.insert(place, (SEVERITY.ERROR, message))
        with pytest.raises(DeviceMemoryError, match="expected a smaller --batch") as caught:
            log.ask(lambda: logging(log, None, *said), InputError)
        assert message in str(caught.value)
        said.pop(place)
    with pytest.raises(DeviceMemoryError):
        log.ask(lambda: raising(RuntimeError(message)), InputError)
    # Through a flood of other errors, of which the last are kept.
    with pytest.raises(DeviceMemoryError):
        log.ask(lambda: logging(log, None, (SEVERITY.ERROR, message), *said * 50), InputError)


def test_the_search_for_kernels_only_warns_of_memory(log: LogKeeper) -> None:
    warning = (
        SEVERITY.WARNING,
        "Tactic Device request: 4364MB. Device memory is insufficient to use tactic.",
    )
    failed = (SEVERITY.ERROR, "Could not find any implementation for node pool")
    with pytest.raises(DeviceMemoryError, match="4364MB"):
        log.ask(lambda: logging(log, None, warning, failed), InputError)
    with pytest.raises(InputError, match=r"^Could not find"):
        log.ask(lambda: logging(log, None, (SEVERITY.INFO, warning[1]), failed), InputError)


def test_an_illegal_access_is_no_shortage(log: LogKeeper) -> None:
    said = "[defaultAllocator.cpp::deallocate::85] Error Code 1: an illegal memory access"
    with pytest.raises(InputError) as caught:
        log.ask(lambda: logging(log, None, (SEVERITY.ERROR, said)), InputError)
    assert not isinstance(caught.value, DeviceMemoryError)


class Resource:
    """Something whose end can be watched."""


def test_a_failed_call_keeps_none_of_its_objects(log: LogKeeper) -> None:
    """They may hold a device's memory, which a second try needs."""
    kept: list[weakref.ref[Resource]] = []

    def call() -> Any:
        resource = Resource()
        kept.append(weakref.ref(resource))
        raise RuntimeError("refused")

    gc.disable()
    try:
        with pytest.raises(InputError) as caught:
            log.ask(call, InputError)
        assert kept[0]() is None
        assert caught.value.__context__ is None
    finally:
        gc.enable()
