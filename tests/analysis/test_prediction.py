"""Predictions judged by a larger run, against a log counted by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.prediction import OUTCOMES, judge_predictions
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
RUN = {"sigma": 0.5, "model": {"sha256": "a" * 64}, "source": {"digest": "b" * 64}}


def write(
    folder: Path, name: str, rows: list[tuple[int, int, int]], run: Any = None, tail: str = ""
) -> Log:
    """A log of (image, label, prediction); a tail is a torn line of a run that is going on."""
    path = folder / name
    lines = [f"{i}\t{y}\t{p}\t0.0\t{int(y == p)}\t1\n" for i, y, p in rows]
    path.write_text(HEADER + "".join(lines) + tail)
    if run is not None:
        manifest = {"run": run, "status": "running" if tail else "complete"}
        path.with_name(f"{name}.json").write_text(json.dumps(manifest))
    return read_log(path)


# (image, label, prediction), the reference's class, and what comes of it.
CASES = [
    ((0, 5, 5), 5, "correct, accurate"),
    ((1, 5, 5), 5, "correct, accurate"),
    ((2, 5, 5), 5, "correct, accurate"),
    ((3, 5, 5), 4, "correct, inaccurate"),
    ((4, 5, 5), -1, "correct, unjudged"),
    ((5, 5, 2), 2, "incorrect, accurate"),
    ((6, 5, 2), 2, "incorrect, accurate"),
    ((7, 5, 2), 5, "incorrect, inaccurate"),  # the reference is right
    ((8, 5, 2), 3, "incorrect, inaccurate"),
    ((9, 5, 2), -1, "incorrect, unjudged"),
    ((10, 5, -1), 5, "abstained"),
    ((11, 5, -1), 2, "abstained"),
    ((12, 5, -1), -1, "abstained"),
    ((13, 0, 0), 0, "correct, accurate"),
]
ROWS = [row for row, _, _ in CASES]
TRUTH = [(i, y, truth) for (i, y, _), truth, _ in CASES]


def test_a_hand_counted_log(tmp_path: Path) -> None:
    log = write(tmp_path, "small.tsv", ROWS, {**RUN, "n": 100})
    # The reference's order of rows does not matter.
    reference = write(tmp_path, "large.tsv", TRUTH[::-1], {**RUN, "n": 1000})
    table = judge_predictions([log], reference)
    assert (table.reference, table.reference_n, table.undecided) == ("large", 1000, 3)
    (row,) = table.rows
    assert (row.name, row.n, row.complete, row.images, row.missing) == ("small", 100, True, 14, 0)
    assert row.outcomes == {
        "correct, accurate": 4,
        "correct, inaccurate": 1,
        "correct, unjudged": 1,
        "incorrect, accurate": 2,
        "incorrect, inaccurate": 2,
        "incorrect, unjudged": 1,
        "abstained": 3,
    }
    assert tuple(row.outcomes) == OUTCOMES
    assert row.share("correct, accurate") == 4 / 14


@pytest.mark.parametrize(("row", "truth", "outcome"), CASES)
def test_each_case_alone(
    tmp_path: Path, row: tuple[int, int, int], truth: int, outcome: str
) -> None:
    log = write(tmp_path, "small.tsv", [row])
    reference = write(tmp_path, "large.tsv", [(row[0], row[1], truth)])
    (judged,) = judge_predictions([log], reference).rows
    assert [name for name, count in judged.outcomes.items() if count] == [outcome]
    assert judged.share(outcome) == 1.0


def test_only_images_of_both_logs_are_judged(tmp_path: Path) -> None:
    log = write(tmp_path, "small.tsv", ROWS)
    reference = write(tmp_path, "large.tsv", [*TRUTH[3:], (99, 1, 1)])
    (row,) = judge_predictions([log], reference).rows
    assert (row.images, row.missing) == (11, 3)
    assert sum(row.outcomes.values()) == 11
    assert row.outcomes["correct, accurate"] == 1


def test_growing_logs(tmp_path: Path) -> None:
    log = write(tmp_path, "small.tsv", ROWS[:5], {**RUN, "n": 100}, tail="5\t5\t2\t0.")
    reference = write(tmp_path, "large.tsv", TRUTH[:4], {**RUN, "n": 1000}, tail="4")
    table = judge_predictions([log], reference)
    assert not table.reference_complete
    (row,) = table.rows
    assert (row.complete, row.images, row.missing) == (False, 4, 1)
    assert row.outcomes["correct, accurate"] == 3


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"model": {"sha256": "c" * 64}}, "of another model (sha256 aaaaaaaaaaaa) than"),
        ({"sigma": 0.25}, "has sigma 0.5 and"),
        ({"source": {"digest": "d" * 64}}, "of another source (digest bbbbbbbbbbbb) than"),
        ({"n": 100}, "has n = 100 and cannot judge"),
        ({"n": 50}, "has n = 50 and cannot judge"),
    ],
)
def test_logs_that_do_not_fit_together(tmp_path: Path, other: dict[str, Any], words: str) -> None:
    log = write(tmp_path, "small.tsv", ROWS, {**RUN, "n": 100})
    reference = write(tmp_path, "large.tsv", TRUTH, {**RUN, "n": 1000, **other})
    with pytest.raises(InputError) as caught:
        judge_predictions([log], reference)
    assert words in str(caught.value)
    assert "expected a reference" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_labels_and_other_images(tmp_path: Path) -> None:
    log = write(tmp_path, "small.tsv", ROWS)
    with pytest.raises(InputError, match=r"image 13 has label 0 in .*small.tsv and 1 in"):
        judge_predictions([log], write(tmp_path, "other.tsv", [*TRUTH[:-1], (13, 1, 1)]))
    with pytest.raises(InputError, match="no image in common"):
        judge_predictions([log], write(tmp_path, "others.tsv", [(99, 1, 1)]))


def test_what_manifests_do_not_tell_is_not_compared(tmp_path: Path) -> None:
    log = write(tmp_path, "small.tsv", ROWS, {"sigma": 0.5, "model": {}})
    reference = write(tmp_path, "large.tsv", TRUTH, {**RUN, "n": 1000})
    assert judge_predictions([log], reference).rows[0].n is None
