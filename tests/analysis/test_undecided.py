from pathlib import Path

import pytest

from smoothcert.analysis.log import read_log
from smoothcert.analysis.undecided import undecided_cells, undecided_sentence
from smoothcert.engine.log.manifest import write_manifest
from smoothcert.engine.log.rows import BUDGET_COLUMNS, COLUMNS, Certificate, header_of
from smoothcert.engine.statistics.procedures import Decision


def log_of(folder: Path, undecided: list[int], **run: object) -> Path:
    log = folder / "log.tsv"
    decisions = [Decision(1, 0.25, 500, 512, 0, 512, undecided=n) for n in undecided]
    rows = [Certificate(i, 1, each, 1.0, "0" * 16).line() for i, each in enumerate(decisions)]
    log.write_text(header_of(COLUMNS + BUDGET_COLUMNS) + "".join(rows))
    table = {"procedure": "table", "radii": [0.0, 0.25, 0.5], "alpha": 0.001, **run}
    manifest = {"run": table, "status": "undecided", "images": len(rows), "sessions": []}
    write_manifest(log, manifest)
    return log


def test_cells_that_are_undecided_are_told_with_their_share(tmp_path: Path) -> None:
    log = read_log(log_of(tmp_path, [0, 2, 1, 0], budgeted=True))
    assert log.complete
    assert undecided_cells(log) == 3
    assert str(undecided_sentence(log)).startswith("3 of 12 cells of the table (an image and a ")
    assert "are undecided, 25.0%:" in str(undecided_sentence(log))


@pytest.mark.parametrize(
    ("undecided", "run", "cells"), [([0, 0], {"budgeted": True}, 0), ([1, 2], {}, None)]
)
def test_nothing_is_said_where_nothing_is(
    tmp_path: Path, undecided: list[int], run: dict[str, object], cells: int | None
) -> None:
    """All is decided; or the column is another program's."""
    log = read_log(log_of(tmp_path, undecided, **run))
    assert undecided_cells(log) == cells
    assert undecided_sentence(log) is None
