"""A run row by row: as rows are decided, left early, interrupted, asked for results."""

import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from linear_runs import TABLE, linear_images, linear_network
from torch.utils.data import DataLoader, Dataset
from untimed_logs import untimed

import smoothcert
from smoothcert.analysis.log import read_log as read_columns
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path, read_manifest
from smoothcert.run import Run

RUN: dict[str, Any] = {"sigma": 0.5, "n0": 10, "n": 300, "seed": 3, "batch": 64}
IMAGES = 9


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    return linear_network(linear_model)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return linear_images(tmp_path, IMAGES)


@pytest.fixture
def whole(model: Path, source: Path, tmp_path: Path) -> list[list[str]]:
    """The log of a run in one go."""
    log = tmp_path / "whole.tsv"
    smoothcert.certify(model, source, out=log, **RUN).run()
    return untimed(log)


def test_nothing_is_written_before_the_first_row(model: Path, source: Path, tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    run = smoothcert.certify(model, source, out=log, **RUN)
    assert not log.exists()
    assert len(run) == IMAGES
    assert "ready" in repr(run)
    assert "is ready" in run._repr_html_()
    assert not log.exists()
    rows = iter(run)
    first = next(rows)
    assert len(untimed(log)) == 1 + 1
    found = [first, *rows]
    assert len(untimed(log)) == 1 + IMAGES
    assert read_manifest(log)["status"] == "complete"
    # As the log has them, in its order from then on.
    assert list(run) == sorted(found, key=lambda row: row.index)
    for row, line in zip(run, untimed(log)[1:], strict=True):
        assert [str(row.index), str(row.label), str(row.predict)] == line[:3]
        assert (f"{row.radius:.6f}", str(int(row.correct))) == (line[3], line[4])
        assert [row.count, row.n, row.n0, row.drawn, row.covers] == list(map(int, line[5:10]))
        assert row.pixels == line[10]
    assert run.summary.certified_now == IMAGES


def test_a_loop_that_is_left_is_gone_on_with(
    model: Path, source: Path, tmp_path: Path, whole: list[list[str]]
) -> None:
    log = tmp_path / "out.tsv"
    run = smoothcert.certify(model, source, out=log, **RUN)
    for number, _row in enumerate(run):
        if number == 2:
            break
    assert read_manifest(log)["status"] == "running"
    assert len(untimed(log)) == 1 + 3
    again = smoothcert.certify(model, source, out=log, **RUN)  # the log is free
    assert [row.index for row in again][:3] == [int(line[0]) for line in untimed(log)[1:4]]
    assert again.summary.certified_now == IMAGES - 3
    assert untimed(log) == whole

    def fail() -> None:
        for _row in run:
            raise RuntimeError("of the loop")

    with pytest.raises(RuntimeError, match="of the loop"):
        fail()
    assert len(list(run)) == IMAGES
    assert untimed(log) == whole
    assert run.summary.certified_now == 3


def test_an_interrupted_run_resumes_to_the_same_log(
    model: Path, source: Path, tmp_path: Path, whole: list[list[str]]
) -> None:
    """By a signal; where tests are run in the background, it is ignored but for here."""
    log = tmp_path / "out.tsv"
    run = smoothcert.certify(model, source, out=log, **RUN)
    before_us = signal.signal(signal.SIGINT, signal.default_int_handler)

    def loop() -> None:
        for row in run:
            if row.index >= 1:
                os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            loop()
    finally:
        signal.signal(signal.SIGINT, before_us)
    before = len(untimed(log))
    assert 1 < before <= 1 + IMAGES
    assert [row.index for row in run][: before - 1] == [int(x[0]) for x in untimed(log)[1:before]]
    assert untimed(log) == whole


def test_results_carry_out_what_is_left(model: Path, source: Path, tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    run = smoothcert.certify(model, source, out=log, **RUN)
    seen = []
    for row in run:
        table = run.table([0, 0.25])  # carries all out; the loop goes on
        seen.append(row.index)
    assert sorted(seen) == list(range(IMAGES))
    columns = read_columns(log)
    accuracy = [float((columns.correct & (columns.radius >= r)).mean()) for r in (0, 0.25)]
    assert table.figures.rows[0].accuracy == accuracy
    assert str(table).splitlines()[1].split()[:4] == ["out", "0.5", *(f"{a:.3f}" for a in accuracy)]
    assert f"<td>{accuracy[1]:.3f}</td>" in run._repr_html_() + table._repr_html_()
    assert "finished" in repr(run)
    assert run.plot().axes


def test_a_temporary_log_lives_as_long_as_its_run(
    model: Path, source: Path, whole: list[list[str]]
) -> None:
    run = smoothcert.certify(model, source, **RUN).run()
    folder = run.log.parent
    assert untimed(run.log) == whole
    del run
    gc.collect()
    assert not folder.exists()
    runs = smoothcert.certify(model, source, **{**RUN, "sigma": [0.25, 0.5]})
    assert [len(list(run)) for run in runs] == [IMAGES, IMAGES]
    assert untimed(runs[1].log) == whole
    folder = runs[0].log.parent
    one = runs[1]
    del runs
    gc.collect()
    assert one.log.exists()
    del one
    gc.collect()
    assert not folder.exists()


def test_a_run_that_is_dropped_says_so(model: Path, source: Path) -> None:
    with pytest.warns(RuntimeWarning, match="a run of 9 images was never carried out"):
        smoothcert.certify(model, source, **RUN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        smoothcert.certify(model, source, **RUN).close()
        for _row in smoothcert.certify(model, source, **RUN):
            break
        gc.collect()


def test_refusals_are_at_the_call(model: Path, source: Path, tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"

    def refused(words: str, **options: Any) -> None:
        before = sorted(tmp_path.iterdir())
        with pytest.raises(InputError, match=words):
            smoothcert.certify(model, source, out=log, **{**RUN, **options})
        assert sorted(tmp_path.iterdir()) == before

    refused("num_classes 7 does not fit", num_classes=7)
    refused("backend", backend="tensorrt")
    smoothcert.certify(model, source, out=log, **RUN).run()
    refused("different command: n 300 .log. against 400", n=400)
    log.write_text(log.read_text().replace("\t0\t", "\t7\t", 1))
    refused("image 0 has label 0, and 7 in ")
    log.write_text("torn")
    refused("out.tsv has the header 'torn'")
    rows = iter(smoothcert.certify(model, source, out=tmp_path / "mine.tsv", **RUN))
    next(rows)
    with pytest.raises(InputError, match="is being written by another process"):
        smoothcert.certify(model, source, out=tmp_path / "mine.tsv", **RUN)
    del rows


def test_a_run_is_of_one_thread(model: Path, source: Path, tmp_path: Path) -> None:
    run = smoothcert.certify(model, source, **RUN, watcher=None)
    errors: list[BaseException] = []

    def other() -> None:
        try:
            run.run()
        except RuntimeError as error:
            errors.append(error)

    run._lock.acquire()  # as while a row is being decided
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    run._lock.release()
    assert "being carried out already" in str(errors[0])
    assert len(list(run)) == IMAGES


def test_runs_go_on_in_several_threads(
    model: Path, source: Path, tmp_path: Path, whole: list[list[str]]
) -> None:
    runs = [smoothcert.certify(model, source, out=tmp_path / f"{i}.tsv", **RUN) for i in range(3)]
    threads = [threading.Thread(target=run.run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [untimed(run.log) for run in runs] == [whole] * 3


def test_undecided_rows_come_last_and_the_rest_of_a_budget_goes_on(
    model: Path, source: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {**TABLE, "radii": (0.0, 0.25), "budget": 9000}
    log, other = tmp_path / "out.tsv", tmp_path / "other.tsv"
    run = smoothcert.certify(model, source, out=log, **options)
    rows = list(run)
    undecided = [bool(row.undecided) for row in rows]
    assert undecided == sorted(undecided)
    assert sum(undecided)
    assert sum(row.undecided or 0 for row in rows) == run.summary.undecided
    broken = smoothcert.certify(model, source, out=other, **options)
    for _row in broken:
        break
    assert len(list(broken)) == IMAGES
    assert broken.summary.samples_now <= 9000


class _Folded(Dataset[Any]):
    """Each item certifies the images, in whatever process it is asked for."""

    def __init__(self, model: Path, source: Path, folder: Path) -> None:
        self.model, self.source, self.folder = model, source, folder

    def __len__(self) -> int:
        return 2

    def __getitem__(self, item: int) -> int:
        log = self.folder / f"worker{item}.tsv"
        return len(list(smoothcert.certify(self.model, self.source, out=log, **RUN)))


def test_runs_in_the_workers_of_a_data_loader(
    model: Path, source: Path, tmp_path: Path, whole: list[list[str]]
) -> None:
    """Forked while this process has a run under way, which they leave alone."""
    mine = smoothcert.certify(model, source, out=tmp_path / "mine.tsv", **RUN)
    rows = iter(mine)
    next(rows)
    loader = DataLoader(
        _Folded(model, source, tmp_path), num_workers=2, multiprocessing_context="fork"
    )
    assert [int(found) for found in loader] == [IMAGES, IMAGES]
    for item in range(2):
        assert untimed(tmp_path / f"worker{item}.tsv") == whole
    assert len(list(rows)) == IMAGES - 1
    assert untimed(mine.log) == whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_leaves_the_run_alone(
    model: Path, source: Path, tmp_path: Path, whole: list[list[str]]
) -> None:
    code = f"""
import gc, os, sys, smoothcert
run = smoothcert.certify({str(model)!r}, {str(source)!r}, **{RUN!r})
rows = iter(run)
next(rows)
if (child := os.fork()) == 0:
    try:
        run.run()
    except RuntimeError as error:
        print(error, flush=True)
    del rows, run
    gc.collect()
    os._exit(0)  # as the children of multiprocessing do
os.waitpid(child, 0)
try:
    smoothcert.certify({str(model)!r}, {str(source)!r}, out=run.log, **{RUN!r})
except smoothcert.InputError as error:
    print(error)
print(len(list(rows)), run.summary.images)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    first, second, third = done.stdout.splitlines()
    assert "made by another process" in first
    assert "is being written by another process" in second
    assert third == f"{IMAGES - 1} {IMAGES}"
    assert not done.stderr


def test_a_training_script_certifies_its_module(tmp_path: Path) -> None:
    """A torch module and a torch data set, as they are."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30, 3)).train()
    pixels = np.random.default_rng(1).integers(0, 256, (6, 1, 6, 5))
    data = [
        (torch.tensor(image / 255, dtype=torch.float32), i % 3) for i, image in enumerate(pixels)
    ]

    run = smoothcert.certify(network, data, out=tmp_path / "out.tsv", **RUN)
    for row in run:
        assert row.label == row.index % 3
    assert run.table([0, 0.25]).figures.rows[0].images == 6
    assert network.training
    arrays = smoothcert.certify(
        network, (pixels.transpose(0, 2, 3, 1).astype(np.uint8), np.arange(6) % 3), **RUN
    )
    assert [row.count for row in arrays] == [row.count for row in run]
    assert not smoothcert.audit(tmp_path / "out.tsv", data, rows=2).findings


def test_the_manifest_has_a_session_for_each_time(model: Path, source: Path) -> None:
    run: Run = smoothcert.certify(model, source, **RUN)
    for _row in run:
        break
    run.run()
    assert len(read_manifest(run.log)["sessions"]) == 2
    assert manifest_path(run.log).exists()
