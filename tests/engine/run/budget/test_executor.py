"""Runs under a budget: what they decide is what a run without one does, in another order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from linear_runs import linear_images, linear_network
from untimed_logs import untimed

import smoothcert
from smoothcert.analysis.log import read_log
from smoothcert.analysis.undecided import undecided_sentence
from smoothcert.cli.main import main
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.merge import merge_shards
from smoothcert.engine.log.rows import BUDGET_COLUMNS, COLUMNS
from smoothcert.engine.run.certification import RunSummary, Watchers

IMAGES = 14
OPTIONS: dict[str, Any] = {
    "sigma": 0.5,
    "radii": (0.0, 0.25, 0.5),
    "n": 20_000,
    "seed": 3,
    "batch": 256,
}


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    return linear_network(linear_model)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return linear_images(tmp_path, IMAGES)


def certify(model: Path, source: Path, log: Path, **more: Any) -> RunSummary:
    summary = smoothcert.certify(model, source, log, **{**OPTIONS, **more})
    assert isinstance(summary, RunSummary)
    return summary


def rows_of(log: Path) -> dict[int, dict[str, str]]:
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    return {int(row["idx"]): row for row in rows}


def without(row: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in ("time", *names)}


def test_budget_after_budget_ends_with_the_log_of_a_run_without_one(
    model: Path, source: Path, tmp_path: Path
) -> None:
    whole, log = tmp_path / "whole.tsv", tmp_path / "log.tsv"
    everything = certify(model, source, whole)
    votes = tmp_path / "log.tsv.votes"
    full = rows_of(whole)
    drawn = 0
    undecided = [3 * IMAGES]
    for budget in (512 * IMAGES, 9000, 20_000, 10**9):
        summary = certify(model, source, log, budget=budget)
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


def test_a_budget_decides_more_than_one_image_after_the_other(
    model: Path, source: Path, tmp_path: Path
) -> None:
    """Compared with as many samples spent on the first images until they are decided."""
    full = rows_of_run(model, source, tmp_path / "whole.tsv")
    budget = sum(int(row["drawn"]) for row in full.values()) // 3
    log = tmp_path / "log.tsv"
    summary = certify(model, source, log, budget=budget)
    spent, decided = 0, 0
    for index in sorted(full):
        spent += int(full[index]["drawn"])
        decided += 3 * (spent <= budget)
    assert summary.cells - summary.undecided > decided


def rows_of_run(model: Path, source: Path, log: Path) -> dict[int, dict[str, str]]:
    certify(model, source, log)
    return rows_of(log)


def test_too_little_for_a_first_look_at_every_image(
    model: Path, source: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.tsv"
    assert certify(model, source, log, budget=3 * 512 + 100).samples_now == 3 * 512
    rows = rows_of(log)
    unseen = [row for row in rows.values() if row["drawn"] == "0"]
    assert len(unseen) == IMAGES - 3
    assert {(row["predict"], row["n"], row["undecided"]) for row in unseen} == {("-1", "0", "3")}
    assert smoothcert.audit(log, source, rows=IMAGES).findings == []
    certify(model, source, log, budget="1h")
    whole = tmp_path / "whole.tsv"
    certify(model, source, whole)
    assert [without(row, "undecided") for row in rows_of(log).values()] == [
        without(row) for row in rows_of(whole).values()
    ]


def test_votes_that_are_lost_are_drawn_again(model: Path, source: Path, tmp_path: Path) -> None:
    kept, lost = tmp_path / "kept.tsv", tmp_path / "lost.tsv"
    for log in (kept, lost):
        certify(model, source, log, budget=20_000)
    assert untimed(kept) == untimed(lost)
    (tmp_path / "lost.tsv.votes").unlink()
    samples = [certify(model, source, log, budget=10**9).samples_now for log in (kept, lost)]
    assert samples[0] < samples[1]
    assert untimed(kept) == untimed(lost)


class Interrupting(Watchers):
    """Ctrl-C after so many batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def batch(self, samples: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_an_interrupted_run_keeps_its_votes(model: Path, source: Path, tmp_path: Path) -> None:
    log, whole = tmp_path / "log.tsv", tmp_path / "whole.tsv"
    everything = certify(model, source, whole).samples_now
    with pytest.raises(KeyboardInterrupt):
        certify(model, source, log, budget=10**9, watcher=Interrupting(60))
    assert (tmp_path / "log.tsv.votes").exists()
    rest = certify(model, source, log, budget=10**9)
    assert rest.undecided == 0
    assert 0 < everything - rest.samples_now <= 60 * 256
    assert [without(row, "undecided") for row in rows_of(log).values()] == [
        without(row) for row in rows_of(whole).values()
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"run": 1}', b"\xff", b"[" * 100_000, b'{"run":"", "images":{}}'],
)
def test_votes_that_are_damaged_are_refused(
    model: Path, source: Path, tmp_path: Path, content: bytes
) -> None:
    log = tmp_path / "log.tsv"
    certify(model, source, log, budget=512 * IMAGES)
    before = log.read_bytes()
    votes = tmp_path / "log.tsv.votes"
    votes.write_bytes(content)
    with pytest.raises(InputError, match="remove it, and they are drawn again") as refused:
        certify(model, source, log, budget=512)
    assert "\n" not in str(refused.value)
    assert votes.read_bytes() == content
    assert log.read_bytes() == before


def test_votes_that_were_never_drawn_are_found(model: Path, source: Path, tmp_path: Path) -> None:
    """A file that contradicts nothing but the noise: what is certified with it is no trial's."""
    log, votes = tmp_path / "log.tsv", tmp_path / "log.tsv.votes"
    certify(model, source, log, budget=12_000)
    kept = json.loads(votes.read_text())
    index, entry = next((i, each) for i, each in kept["images"].items() if each["holder"] == -1)
    leader = max(entry["votes"], key=lambda pair: pair[1])
    leader[1] += 20
    others = [pair for pair in entry["votes"] if pair is not leader]
    max(others, key=lambda pair: pair[1])[1] -= 20
    votes.write_text(json.dumps(kept))
    certify(model, source, log, budget=10**9)
    found = smoothcert.audit(log, source, rows=IMAGES).findings
    assert len(found) == 1
    assert found[0].startswith(f"image {index}:")


def test_it_is_audited_analysed_and_merged(
    model: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.tsv"
    summary = certify(model, source, log, budget=25_000)
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
        certify(model, source, shard, budget=12_000, shard=f"{i}/2").undecided
        for i, shard in enumerate(shards)
    ]
    merged = tmp_path / "merged.tsv"
    merge_shards(merged, shards)
    assert sum(int(row["undecided"]) for row in rows_of(merged).values()) == sum(left) > 0
    assert json.loads((tmp_path / "merged.tsv.json").read_text())["status"] == "undecided"
    assert smoothcert.audit(merged, source, rows=2).findings == []
    certify(model, source, merged, budget=10**9)
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
        certify(model, source, log, budget=512)
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
