"""What is being done reaches who listens, and nobody else."""

import threading

import pytest

from smoothcert.engine.base.doing import doing, each_of, heard_by, shown_otherwise


class Heard:
    """A Listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self._works = 0

    def begin(self, what: str, total: int | None) -> int:
        self._works += 1
        self.told.append(("begin", self._works, what, total))
        return self._works

    def step(self, work: int, done: int) -> None:
        self.told.append(("step", work, done))

    def end(self, work: int) -> None:
        self.told.append(("end", work))

    def pause(self) -> None:
        self.told.append(("pause",))

    def resume(self) -> None:
        self.told.append(("resume",))


def test_works_within_works() -> None:
    heard = Heard()
    with heard_by(heard), doing("outer", 2) as step:
        with doing("inner"):
            pass
        step(1)
    assert heard.told == [
        ("begin", 1, "outer", 2), ("begin", 2, "inner", None), ("end", 2), ("step", 1, 1),
        ("end", 1),
    ]  # fmt: skip


def test_a_work_ends_whatever_ends_it() -> None:
    heard = Heard()
    with heard_by(heard):
        with pytest.raises(ValueError, match="x"), doing("failing"):
            raise ValueError("x")
        for item in each_of("abc", "left early", 3):
            if item == "b":
                break
        assert list(each_of([7, 8], "whole")) == [7, 8]
        with shown_otherwise():
            pass
    assert [entry for entry in heard.told if entry[0] != "begin"] == [
        ("end", 1), ("step", 2, 1), ("end", 2), ("step", 3, 1), ("step", 3, 2), ("end", 3),
        ("pause",), ("resume",),
    ]  # fmt: skip


def test_without_a_listener_and_in_other_threads_nothing_is_heard() -> None:
    heard = Heard()

    def work() -> None:
        with doing("elsewhere", 1) as step:
            step(1)

    with heard_by(heard):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    work()
    assert heard.told == []
