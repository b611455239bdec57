"""Runs under a budget: what they decide is what a run without one does, in another order."""

import json
from pathlib import Path

import pytest
from linear_runs import certify_table, rows_of, without

import smoothcert
from smoothcert.analysis.log import read_log
from smoothcert.analysis.undecided import undecided_sentence
from smoothcert.cli.main import main
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.merge import merge_shards
from smoothcert.engine.log.rows import BUDGET_COLUMNS, COLUMNS

IMAGES = 14


def test_budget_after_budget_ends_with_the_log_of_a_run_without_one(
    model: Path, source: Path, tmp_path: Path
) -> None:
    whole, log = tmp_path / "whole.tsv", tmp_path / "log.tsv"
    everything = certify_table(model, source, whole)
    votes = tmp_path / "log.tsv.votes"
    full = rows_of(whole)
    drawn = 0
    undecided = [3 * IMAGES]
    for budget in (512 * IMAGES, 9000, 20_000, 10**9):
        summary = certify_table(model, source, log, budget=budget)
        assert summary.samples_now <= budget
        drawn += summary.samples_now
        assert (summary.images, summary.cells) == (IMAGES, 3 * IMAGES)
        rows = rows_of(log)
        assert sorted(rows) == list(range(IMAGES))
        order = [(row["undecided"] != "0", index) for index, row in rows.items()]
        assert order == sorted(order)
        for index, row in rows.items():
            if row["undecided"] == "0":
                assert without(row, "undecided") == without(full[index])
            else:
                assert int(row["drawn"]) < int(full[index]["drawn"])
                assert float(row["radius"]) <= float(full[index]["radius"])
        undecided.append(sum(int(row["undecided"]) for row in rows.values()))
        assert summary.undecided == undecided[-1] < undecided[-2]
        status = json.loads((tmp_path / "log.tsv.json").read_text())["status"]
        assert status == ("undecided" if undecided[-1] else "complete")
        assert votes.exists() == bool(undecided[-1])
    assert len(undecided) == 5
    assert undecided[-2] > 0
    assert drawn == everything.samples_now  # no sample is drawn twice
    assert list(rows[0]) == [*COLUMNS, *BUDGET_COLUMNS]


def test_it_is_audited_analysed_and_merged(
    model: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.tsv"
    summary = certify_table(model, source, log, budget=25_000)
    assert 0 < summary.undecided < summary.cells
    audit = smoothcert.audit(log, source, rows=IMAGES)
    assert audit.findings == []
    said = undecided_sentence(read_log(log))
    assert said is not None
    assert said.startswith(f"{summary.undecided} of {summary.cells} cells of the table")
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["analyze", str(log), "--format", "json"])
    (told,) = json.loads(capsys.readouterr().out)["logs"]
    assert (told["undecided_cells"], told["complete"]) == (summary.undecided, True)
    shards = [tmp_path / f"{i}.tsv" for i in range(2)]
    left = [
        certify_table(model, source, shard, budget=12_000, shard=f"{i}/2").undecided
        for i, shard in enumerate(shards)
    ]
    merged = tmp_path / "merged.tsv"
    merge_shards(merged, shards)
    assert sum(int(row["undecided"]) for row in rows_of(merged).values()) == sum(left) > 0
    assert json.loads((tmp_path / "merged.tsv.json").read_text())["status"] == "undecided"
    assert smoothcert.audit(merged, source, rows=2).findings == []
    certify_table(model, source, merged, budget=10**9)
    assert undecided_sentence(read_log(merged)) is None
    assert json.loads((tmp_path / "merged.tsv.json").read_text())["status"] == "complete"

    # One radius more is undecided than the votes leave; a row is moved.
    lines = log.read_text().splitlines(keepends=True)
    forged = [line[:-2] + "3\n" if line.endswith("\t1\n") else line for line in lines]
    assert forged != lines
    log.write_text("".join(forged))
    assert "radii are undecided, where" in " ".join(smoothcert.audit(log, source, rows=0).findings)
    log.write_text("".join([lines[0], lines[-1], *lines[1:-1]]))
    assert "not in the order" in " ".join(smoothcert.audit(log, source, rows=0).findings)
    with pytest.raises(InputError, match="undecided radii before one without"):
        certify_table(model, source, log, budget=512)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "30x", "--radii", "0"], "budget '30x' is none: expected a time such as"),
        (["--budget", "30m"], "expected --radii with it"),
        (["--budget", "30m", "--radii", "0", "--ray", "local"], "by one device: expected one"),
        (["--budget", "30m", "--radii", "0", "--device", "cuda:0,cuda:1"], "nor several GPUs"),
        (["--budget", "30m", "--radii", "0", "--sigma", "0.25,0.5"], "expected one sigma"),
        (["--budget", "30m", "--radii", "0", "--transfer-to", "x.onnx"], "exclude each other"),
    ],
)
def test_what_does_not_go_with_a_budget(
    model: Path,
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    log = tmp_path / "log.tsv"
    with pytest.raises(SystemExit) as end:
        main(["certify", str(model), str(source), str(log), "--sigma", "0.5", *options])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert words in said
    assert said.count("\n") == 1
    assert list(tmp_path.glob("log*")) == []


def test_the_command_says_what_is_undecided(
    model: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.tsv"
    given = ["certify", str(model), str(source), str(log), "--sigma", "0.5", "--n", "20000",
             "--radii", "0,0.25,0.5", "--seed", "3", "--batch", "256"]  # fmt: skip
    with pytest.raises(SystemExit):
        main([*given, "--budget", "7168"])
    said = capsys.readouterr().out
    assert f"of {3 * IMAGES} cells of the table are undecided (" in said
    assert "; a further --budget goes on" in said
    with pytest.raises(SystemExit):
        main(["analyze", str(log)])
    assert "a budget ended before they were" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(given)
    assert end.value.code == 2
    assert "budgeted True (log) against None (asked)" in capsys.readouterr().err
