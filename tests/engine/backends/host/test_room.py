"""What a batch needs of memory, and the largest that there is room for."""

import pytest

from smoothcert.engine.backends.host import room
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec

SPEC = InputSpec(3, 8, 8)


def test_bytes_are_those_of_rows_images_and_counts() -> None:
    row = 4 * 192 + (4 + 4 + 1) * 10 + 20  # pixels; logits, a copy and a mark; an address
    images = 5 * 192 + 2 * 8 * 10  # resident ones; the counts of those that have rows
    assert room.bytes_of(SPEC, 10, 2, slots=5) == 2 * row + images + 2 * 4 * 10


@pytest.mark.parametrize("batch", [1, 2, 3, 127, 128, 129, 1000])
def test_the_largest_batch_is_the_last_that_fits(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = room.bytes_of(SPEC, 10, batch)
    for bytes_left, expected in ((left, batch), (left - 1, batch - 1)):
        monkeypatch.setattr(room, "available_memory", lambda bytes_left=bytes_left: bytes_left)
        assert room.largest_batch(SPEC, 10, 1000) == expected
    monkeypatch.setattr(room, "available_memory", lambda: left - 1)
    with pytest.raises(InputError, match=f"batch {batch} of x, .* needs at least"):
        room.check_room(SPEC, 10, batch, "x")
    if batch > 1:
        room.check_room(SPEC, 10, batch - 1, "x")


def test_where_nothing_tells_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: None)
    room.check_room(SPEC, 10**6, 10**6, "x")
