"""What runtimes raise, as one line that says whose fault it is."""

import pytest

from smoothcert.engine.base.errors import InputError, RunStoppedError
from smoothcert.engine.base.failing import opening, ran_out_of_memory, running


def test_what_fails_while_a_model_is_opened_is_the_models() -> None:
    with pytest.raises(InputError, match=r"^model m cannot be run: odd b$"), opening("model m"):
        raise RuntimeError("odd\n  b")
    with pytest.raises(InputError, match="cannot be run: ort failed: odd"), opening("model m"):
        with_runtime()


def with_runtime() -> None:
    with running("ort"):
        raise RuntimeError("odd")


def test_what_fails_in_a_run_stops_it() -> None:
    with pytest.raises(RunStoppedError, match=r"^ort failed: odd$"):
        with_runtime()


def test_a_refusal_stays_what_it_is() -> None:
    refusal = InputError("the batch is too large")
    with pytest.raises(InputError) as found, opening("m"), running("m"):
        raise refusal
    assert found.value is refusal


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        RuntimeError("Failed to allocate 3"),
        RuntimeError("CUDA out of memory"),
    ],
)
def test_memory_that_is_not_there_is_told_apart(error: Exception) -> None:
    assert ran_out_of_memory(error)
    assert not ran_out_of_memory(RuntimeError("indices exceed data size"))
    with pytest.raises(RunStoppedError, match=r"more memory than there is.*--batch"), running("x"):
        raise error
