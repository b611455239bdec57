"""What the progress line holds while a run selects and works."""

import pytest

from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.procedures import Decision
from smoothcert.progress import RunProgress


def decided(label: int, predict: int) -> Certificate:
    return Certificate(0, label, Decision(predict, 0.0, 90, 100, 10, 110), 1.0, "")


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([(1, 1), (1, -1), (0, 1), (2, 2)], "accuracy 0.500"),
        ([(-1, -1), (-1, 1)], ""),
    ],
)
def test_accuracy_is_of_labelled_images(rows: list[tuple[int, int]], shown: str) -> None:
    progress = RunProgress()
    progress.begin(9, 0, 900)
    for label, predict in rows:
        progress.image(decided(label, predict), 0)
    (task,) = progress._progress.tasks
    assert task.fields["accuracy"] == shown
    assert task.fields["images"] == f"{len(rows)}/9"


def test_images_that_are_tried_are_counted() -> None:
    progress = RunProgress()
    progress.event("selecting", {"images": 9000, "done": 2000, "correct": 7})
    (task,) = progress._progress.tasks
    assert task.fields["images"] == "selecting 2000/9000"
    progress.begin(7, 2, 900)
    assert task.fields["images"] == "2/7"
