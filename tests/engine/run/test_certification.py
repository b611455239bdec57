"""Whole runs on a real runtime: the same log whatever interrupts, splits or batches it."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from untimed_logs import untimed

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES
from smoothcert.engine.base.errors import InputError, RunStoppedError
from smoothcert.engine.base.machine import processor_flags
from smoothcert.engine.log.manifest import manifest_path, read_manifest
from smoothcert.engine.log.merge import merge_shards
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import Certification, Watcher, Watchers
from smoothcert.engine.run.execution import Executor, Job, LocalExecutor
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.bounds import certified_radius, covered_squared_distance
from smoothcert.engine.statistics.procedures import FixedCertify

SIGMA = 0.5
SHAPE = (3, 6, 6)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    path = tmp_path / "images.npz"
    np.savez(
        path,
        images=rng.integers(0, 256, (24, 6, 6, 3)).astype(np.uint8),
        labels=np.arange(24) % 4,
    )
    return path


def certify(
    model: Path,
    source: Path,
    out: Path,
    *,
    n: int = 400,
    selection: Selection | None = None,
    seed: int = 0,
    compute: Compute | None = None,
    watcher: Watcher | None = None,
    executor: Executor | None = None,
) -> None:
    opened = open_onnx(model)
    law = LatticeGaussian(SIGMA)
    tau = law.total_variation(opened.spec.num_pixels)
    job = Job(
        model=opened,
        law=law,
        procedure=FixedCertify(SIGMA, 20, n, 0.001, tau),
        seed=seed,
        compute=compute or Compute(batch=64),
    )
    images = open_source(source, opened.spec, opened.num_classes)
    Certification(job, images, selection or Selection(), out, executor=executor).run(watcher)


def test_the_log_says_what_was_found(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out)
    body = untimed(out)[1:]
    assert [int(row[0]) for row in body] == list(range(24))
    tau = LatticeGaussian(SIGMA).total_variation(108)
    certified = 0
    for index, label, predict, radius, correct, count, n, n0, drawn, covers, _ in body:
        assert int(label) == int(index) % 4
        assert (n, n0, drawn) == ("400", "20", "420")
        assert correct == str(int(predict == label))
        expected = certified_radius(int(count), 400, 0.001, SIGMA, total_variation=tau)
        if predict == "-1":
            assert (radius, covers) == ("0.000000", "0")
        else:
            certified += 1
            assert radius == f"{expected:.6f}"
            assert int(covers) == covered_squared_distance(expected)
    assert 0 < certified < 24
    manifest = read_manifest(out)
    run = manifest["run"]
    assert manifest["status"] == "complete"
    assert run["procedure"] == "certify"
    assert run["model"]["sha256"] == open_onnx(model).sha256
    assert (run["sigma"], run["seed"], run["n"]) == (SIGMA, 0, 400)
    assert manifest["sessions"][0]["backend"]["batch"] == 64
    assert manifest["row_independence"] == {"linear.onnx": "proven"}
    assert manifest["sessions"][0]["repeats"] == {"rows": 24 * 4, "turned": 0}
    assert json.loads(manifest_path(out).read_text()) == manifest


def test_batches_and_threads_leave_no_trace(model: Path, source: Path, tmp_path: Path) -> None:
    logs = []
    for batch, threads in ((1, 1), (7, 2), (64, 1), (1000, 2)):
        out = tmp_path / f"{batch}.tsv"
        certify(model, source, out, compute=Compute(batch=batch, threads=threads))
        logs.append(untimed(out))
    assert all(log == logs[0] for log in logs)


def test_shards_merge_to_the_same_bytes(model: Path, source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.tsv"
    certify(model, source, whole)
    shards = []
    for i in range(3):
        shards.append(tmp_path / f"shard{i}.tsv")
        certify(model, source, shards[-1], selection=Selection(shard=i, shards=3))
    merged = tmp_path / "merged.tsv"
    assert merge_shards(merged, shards).rows == 24
    assert untimed(merged) == untimed(whole)
    assert read_manifest(merged)["run"] == read_manifest(whole)["run"]


def test_seeds_differ(model: Path, source: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        certify(model, source, tmp_path / f"{seed}.tsv", seed=seed)
    assert untimed(tmp_path / "0.tsv") != untimed(tmp_path / "1.tsv")


def test_auto_resumes_with_the_backend_it_started_with(
    model: Path, source: Path, tmp_path: Path
) -> None:
    """Whatever is fastest today: the log goes on to the same bytes."""
    if HOST_RUNTIMES["openvino"].version is None:
        pytest.skip("openvino is not installed: auto has no choice")
    for name in HOST_RUNTIMES:
        out = tmp_path / f"{name}.tsv"
        certify(model, source, out, compute=Compute(backend=name, batch=64))
        whole, lines = untimed(out), out.read_bytes().splitlines(keepends=True)
        out.write_bytes(b"".join(lines[:10]))
        certify(model, source, out, compute=Compute(backend="auto", batch=32))
        assert untimed(out) == whole
        manifest = read_manifest(out)
        assert manifest["run"]["backend"] == name
        assert len(manifest["sessions"]) == 2
        other = next(each for each in HOST_RUNTIMES if each != name)
        with pytest.raises(InputError, match=f"backend {name} \\(log\\) against {other}"):
            certify(model, source, out, compute=Compute(backend=other, batch=64))


def test_a_log_is_of_one_precision(model: Path, source: Path, tmp_path: Path) -> None:
    lowered, full = tmp_path / "bf16.tsv", tmp_path / "fp32.tsv"
    certify(model, source, full)
    assert read_manifest(full)["run"]["precision"] == "fp32"
    if HOST_RUNTIMES["openvino"].version is None or not (
        {"avx512_bf16", "amx_bf16"} & set(processor_flags())
    ):
        pytest.skip("bf16 needs openvino and a processor that has it")
    certify(model, source, lowered, compute=Compute(precision="bf16", batch=64))
    assert read_manifest(lowered)["run"]["precision"] == "bf16"
    assert read_manifest(lowered)["sessions"][0]["backend"]["precision"] == "bf16"
    assert untimed(lowered) != untimed(full)  # another function, certified as itself
    with pytest.raises(InputError, match=r"precision bf16 \(log\) against fp32 \(asked\)"):
        certify(model, source, lowered)


def test_resuming_skips_what_is_done(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:10]) + lines[10][:7])
    certify(model, source, out)
    assert out.read_bytes().splitlines(keepends=True)[:10] == lines[:10]
    assert [row[:5] for row in untimed(out)] == [line.decode().split("\t")[:5] for line in lines]
    done = out.read_bytes()
    certify(model, source, out)  # nothing is left to do
    assert out.read_bytes() == done


def test_another_model_is_refused(
    model: Path, source: Path, tmp_path: Path, linear_model: Callable[..., Path]
) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out)
    before = out.read_bytes()
    other = linear_model(np.ones((4, 108)), np.zeros(4), SHAPE, name="other.onnx")
    with pytest.raises(InputError, match=r"model\.sha256"):
        certify(other, source, out)
    with pytest.raises(InputError, match="n 400"):
        certify(model, source, out, n=500)
    with pytest.raises(InputError, match=r"selection\.skip"):
        certify(model, source, out, selection=Selection(skip=2))
    assert out.read_bytes() == before


class Events(Watchers):
    """Keeps what a run tells."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, dict[str, Any]]] = []

    def event(self, name: str, details: dict[str, Any]) -> None:
        self.told.append((name, details))


@pytest.mark.usefixtures("all_cores")
def test_going_on_under_other_circumstances_is_said(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    first = Compute(backend="onnxruntime", batch=64, threads=1)
    events = Events()
    certify(model, source, out, compute=first, watcher=events)
    lines = out.read_bytes().splitlines(keepends=True)

    def go_on(compute: Compute) -> list[tuple[str, dict[str, Any]]]:
        out.write_bytes(b"".join(lines[:10]))
        events = Events()
        certify(model, source, out, compute=compute, watcher=events)
        return events.told

    assert events.told == go_on(first) == []
    (told,) = go_on(replace(first, threads=2))
    assert told == ("resumed elsewhere", {"differences": "threads 1 (log) against 2 (asked)"})
    assert go_on(replace(first, threads=2)) == []  # as in one of its sessions


class Faulty(LocalExecutor):
    """A machine whose votes turn at random after the first `sound` batches."""

    def __init__(self, sound: int) -> None:
        self._sound = sound

    def open(self, job: Job) -> dict[str, Any]:
        session = super().open(job)
        assert self._backend is not None
        collect, batches = self._backend.collect, itertools.count()
        rng = np.random.default_rng(0)

        def turned() -> npt.NDArray[np.int32]:
            votes = collect()
            others = rng.integers(0, 4, len(votes), dtype=np.int32)
            return votes if next(batches) < self._sound else others

        self._backend.collect = turned  # type: ignore[method-assign]
        return session


def test_a_run_whose_votes_turn_is_stopped_and_can_be_resumed(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out.tsv", tmp_path / "whole.tsv"
    certify(model, source, whole)
    events = Events()
    with pytest.raises(RunStoppedError, match="of 4 rows drawn again in another"):
        certify(model, source, out, executor=Faulty(50), watcher=events)
    manifest = read_manifest(out)
    assert manifest["status"] == "running"
    assert manifest["sessions"][0]["repeats"]["turned"] >= 1
    rows = untimed(out)
    assert 2 < len(rows) < 25
    assert all(row in untimed(whole) for row in rows[:-2])
    certify(model, source, out)
    assert len(untimed(out)) == 25


def test_an_empty_selection_writes_nothing(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    with pytest.raises(InputError, match="no image is selected"):
        certify(model, source, out, selection=Selection(shard=30, shards=40))
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_runs_resume_to_the_same_log(
    how: signal.Signals, model: Path, source: Path, tmp_path: Path
) -> None:
    """The real command, killed several times in the middle, ends as an uninterrupted run."""
    reference = tmp_path / "reference.tsv"
    certify(model, source, reference, n=60_000)
    out = tmp_path / "out.tsv"
    command = [
        sys.executable, "-m", "smoothcert.cli.main", "certify", str(model), str(source), str(out),
        "--sigma", str(SIGMA), "--n0", "20", "--n", "60000", "--batch", "64", "--seed", "0",
    ]  # fmt: skip
    for enough in (3, 9, 16):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while process.poll() is None and (not out.exists() or out.read_text().count("\n") < enough):
            time.sleep(0.005)
        os.kill(process.pid, how)
        stderr = process.communicate()[1]
        assert process.returncode == (-how if how == signal.SIGKILL else 130)
        assert len(untimed(out)) < 25
        if how != signal.SIGKILL:
            assert stderr == b"smoothcert: interrupted; the same command resumes\n"
    subprocess.run(command, check=True, capture_output=True)
    assert untimed(out) == untimed(reference)
    assert len(read_manifest(out)["sessions"]) == 4
