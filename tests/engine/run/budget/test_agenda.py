"""Which image comes next, while a budget lasts."""

from pathlib import Path

from linear_runs import certify_table, rows_of, without

import smoothcert

IMAGES = 14


def test_a_budget_decides_more_than_one_image_after_the_other(
    model: Path, source: Path, tmp_path: Path
) -> None:
    """Compared with as many samples spent on the first images until they are decided."""
    full = rows_of_run(model, source, tmp_path / "whole.tsv")
    budget = sum(int(row["drawn"]) for row in full.values()) // 3
    log = tmp_path / "log.tsv"
    summary = certify_table(model, source, log, budget=budget)
    spent, decided = 0, 0
    for index in sorted(full):
        spent += int(full[index]["drawn"])
        decided += 3 * (spent <= budget)
    assert summary.cells - summary.undecided > decided


def rows_of_run(model: Path, source: Path, log: Path) -> dict[int, dict[str, str]]:
    certify_table(model, source, log)
    return rows_of(log)


def test_too_little_for_a_first_look_at_every_image(
    model: Path, source: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.tsv"
    assert certify_table(model, source, log, budget=3 * 512 + 100).samples_now == 3 * 512
    rows = rows_of(log)
    unseen = [row for row in rows.values() if row["drawn"] == "0"]
    assert len(unseen) == IMAGES - 3
    assert {(row["predict"], row["n"], row["undecided"]) for row in unseen} == {("-1", "0", "3")}
    assert smoothcert.audit(log, source, rows=IMAGES).findings == []
    certify_table(model, source, log, budget="1h")
    whole = tmp_path / "whole.tsv"
    certify_table(model, source, whole)
    assert [without(row, "undecided") for row in rows_of(log).values()] == [
        without(row) for row in rows_of(whole).values()
    ]
