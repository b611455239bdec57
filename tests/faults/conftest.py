"""What the tests of hostile inputs share: nothing may hang."""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

_LONG = 240  # seconds: far more than any of these takes, and less than what never ends


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """Ends what hangs."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_LONG)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
