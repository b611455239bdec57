"""Several noise levels in one call: each log is the one that a call of its own writes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from bright_images import CORRECT, write_brightness, write_halves
from onnx import helper
from untimed_logs import untimed

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest, write_manifest
from smoothcert.engine.log.merge import merge_shards
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.run import selecting
from smoothcert.engine.run.certification import RunSummary, Watchers
from smoothcert.engine.run.clean import CleanPredictions
from smoothcert.engine.sources.encoded import EncodedSource
from smoothcert.run import Run
from smoothcert.several import log_at

SIGMAS = (0.5, 0.25, 1.0)
RUN: dict[str, Any] = {"n0": 10, "n": 200, "batch": 32, "backend": "onnxruntime"}


@pytest.fixture
def linear(linear_model: Callable[..., Path]) -> Path:
    """A linear classifier of two classes of 3x16x16 images, which knows blue from red."""
    weight = np.repeat([[0.02, 0.0, -0.02]], 256, axis=1).reshape(1, -1)
    return linear_model(np.concatenate([-weight, weight]), np.zeros(2), (3, 16, 16))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the photographs that are decoded, as they are."""
    names: list[str] = []
    decode = EncodedSource.decode

    def counted(source: EncodedSource, data: bytes, name: str) -> Any:
        names.append(name)
        return decode(source, data, name)

    monkeypatch.setattr(EncodedSource, "decode", counted)
    return names


class Interrupted(Watchers):
    """Ctrl-C after so many images; keeps the events."""

    def __init__(self, images: int = -1) -> None:
        super().__init__()
        self._left = images
        self.events: list[tuple[str, dict[str, Any]]] = []

    def image(self, certificate: Certificate, unused: int) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt

    def event(self, name: str, details: dict[str, Any]) -> None:
        self.events.append((name, details))


def carried_out(runs: tuple[Run, ...]) -> list[RunSummary]:
    try:
        return [run.summary for run in runs]
    finally:
        for run in runs:
            run.close()


def same(one: Path, other: Path) -> None:
    """Rows and manifests are the same, the time column aside."""
    assert untimed(one) == untimed(other)
    assert read_manifest(one) == read_manifest(other)


def test_each_log_is_that_of_a_call_of_its_own(
    linear: Path, photograph_folder: Path, tmp_path: Path, decoded: list[str]
) -> None:
    out, run = tmp_path / "out.tsv", {**RUN, "seed": 3, "resize": 16}
    summaries = carried_out(
        smoothcert.certify(linear, photograph_folder, out=out, sigma=SIGMAS, **run)
    )
    assert [(each.images, each.certified_now) for each in summaries] == [(12, 12)] * 3
    assert len(decoded) == len(set(decoded)) == 12  # once each, whatever the number of levels
    assert not out.exists()
    logs = [tmp_path / f"out_{name}.tsv" for name in ("0.5", "0.25", "1")]
    alone = tmp_path / "alone.tsv"
    for sigma, log in zip(SIGMAS, logs, strict=True):
        smoothcert.certify(linear, photograph_folder, out=alone, sigma=sigma, **run).run()
        same(log, alone)
        assert not smoothcert.audit(log, photograph_folder, rows=2).findings
        alone.unlink()
        alone.with_name("alone.tsv.json").unlink()
    assert len({str(untimed(log)) for log in logs}) == 3
    # One of them alone is resumed by its own call.
    logs[1].write_text("".join(logs[1].read_text().splitlines(keepends=True)[:5]))
    write_manifest(logs[1], {**read_manifest(logs[1]), "status": "running"})
    assert (
        smoothcert.certify(
            linear, photograph_folder, out=logs[1], sigma=0.25, **run
        ).summary.certified_now
        == 8
    )


def test_an_interrupted_call_goes_on_with_its_seed(
    linear: Path, photograph_folder: Path, tmp_path: Path, decoded: list[str]
) -> None:
    out, run = tmp_path / "out.tsv", {**RUN, "resize": 16}
    with pytest.raises(KeyboardInterrupt):
        carried_out(
            smoothcert.certify(
                linear, photograph_folder, out=out, sigma=SIGMAS, watcher=Interrupted(12 + 5), **run
            )
        )
    first, second, third = (log_at(out, sigma) for sigma in SIGMAS)
    assert (len(untimed(first)), len(untimed(second)), third.exists()) == (13, 6, False)
    seed = read_manifest(first)["run"]["seed"]
    del decoded[:]
    watcher = Interrupted()
    summaries = carried_out(
        smoothcert.certify(linear, photograph_folder, out=out, sigma=SIGMAS, watcher=watcher, **run)
    )
    assert [each.certified_now for each in summaries] == [0, 7, 12]
    assert len(decoded) == len(set(decoded)) == 12  # to be compared, and then to be certified
    whole = tmp_path / "whole.tsv"
    carried_out(
        smoothcert.certify(linear, photograph_folder, out=whole, sigma=SIGMAS, seed=seed, **run)
    )
    for sigma in SIGMAS:
        assert untimed(log_at(out, sigma)) == untimed(log_at(whole, sigma))
    # What was inferred is said once, and not for each level.
    names = [name for name, _ in watcher.events]
    assert names == ["log begun", "inferred", "log finished", *["log begun", "log finished"] * 2]
    assert [each["log"] for name, each in watcher.events if name == "log finished"] == [
        str(log_at(out, sigma)) for sigma in SIGMAS
    ]


def test_logs_that_are_there_keep_their_own_seeds(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"  # a name without .tsv
    for sigma, seed in ((0.5, 7), (0.25, 8)):
        log = tmp_path / f"out_{sigma}"
        smoothcert.certify(model, source, out=log, sigma=sigma, seed=seed, **RUN).run()
    summaries = carried_out(smoothcert.certify(model, str(source), out=out, sigma=SIGMAS, **RUN))
    assert [each.certified_now for each in summaries] == [0, 0, 12]
    assert [read_manifest(log_at(out, s))["run"]["seed"] for s in SIGMAS] == [7, 8, 7]


def test_shards_tables_and_predictions_of_several(
    model: Path, source: Path, tmp_path: Path
) -> None:
    run = {**RUN, "n": 400, "seed": 5}
    table = {**run, "n0": None, "radii": [0.0, 0.25]}
    carried_out(
        smoothcert.certify(model, source, out=tmp_path / "whole", sigma=[0.25, 0.5], **table)
    )
    for i in range(2):
        shard = tmp_path / f"shard{i}.tsv"
        carried_out(
            smoothcert.certify(model, source, out=shard, sigma=[0.25, 0.5], shard=f"{i}/2", **table)
        )
    for sigma in ("0.25", "0.5"):
        merged = tmp_path / f"merged_{sigma}.tsv"
        merge_shards(merged, [tmp_path / f"shard{i}_{sigma}.tsv" for i in range(2)])
        assert untimed(merged) == untimed(tmp_path / f"whole_{sigma}")
    del run["n0"]
    array: Any = np.array([0.5])
    (one,) = carried_out(
        smoothcert.predict(model, source, out=tmp_path / "p.tsv", sigma=array, **run)
    )
    smoothcert.predict(model, source, out=tmp_path / "alone.tsv", sigma=0.5, **run).run()
    assert one.images == 12
    same(tmp_path / "p_0.5.tsv", tmp_path / "alone.tsv")


def test_only_correct_is_decided_once(
    linear_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, source = write_brightness(linear_model), write_halves(tmp_path)
    opened: list[tuple[Any, ...]] = []

    def counted(*arguments: Any) -> Any:
        opened.append(arguments)
        return CleanPredictions(*arguments)

    monkeypatch.setattr(selecting, "CleanPredictions", counted)
    run = {**RUN, "seed": 2, "only_correct": True}
    carried_out(
        smoothcert.certify(model, source, out=tmp_path / "out.tsv", sigma=[0.25, 0.5], **run)
    )
    assert len(opened) == 1
    smoothcert.certify(model, source, out=tmp_path / "alone.tsv", sigma=0.5, **run).run()
    same(tmp_path / "out_0.5.tsv", tmp_path / "alone.tsv")
    # Of what is there already nothing is tried again; a new level tries for itself.
    del opened[:]
    carried_out(
        smoothcert.certify(model, source, out=tmp_path / "out.tsv", sigma=[0.25, 0.5, 1], **run)
    )
    assert len(opened) == 1
    assert [int(row[0]) for row in untimed(tmp_path / "out_1.tsv")[1:]] == CORRECT


@pytest.mark.parametrize(
    ("sigma", "options", "words"),
    [
        ([0.5, 0.25, 0.50], {}, "sigma 0.5 comes twice: expected each level once"),
        ([0.5, 5], {}, "sigma 5.0 is out of range"),
        ([0.5, "0.25"], {}, "sigma '0.25' is no number"),
        ([], {}, "number of sigmas 0 is out of range"),
        ("0.25,0.5", {}, "sigma '0.25,0.5' is no number"),
        ([0.5, 0.1], {"n0": None, "radii": [0.5]}, "at sigma 0.1: none of the radii 0.5 can be"),
        ([0.5, 0.25], {"n": 3}, "at sigma 0.5: n 3 is too small"),
        ([0.5, 0.25], {"shard": "0/2"}, "shard 0/2 is given no seed"),
        ([0.5, 0.25], {"family_wise": 11}, "family-wise 11 is too few for the 12 images"),
    ],
)
def test_nothing_is_written_where_a_level_is_refused(
    model: Path, source: Path, tmp_path: Path, sigma: Any, options: dict[str, Any], words: str
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=words):
        smoothcert.certify(model, source, out=tmp_path / "o.tsv", sigma=sigma, **{**RUN, **options})
    assert sorted(tmp_path.iterdir()) == before


def test_every_log_is_looked_at_before_the_first_is_begun(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    first, second = log_at(out, 0.25), log_at(out, 0.5)

    def refused(words: str, **options: Any) -> None:
        with pytest.raises(InputError, match=words):
            smoothcert.certify(model, source, out=out, sigma=[0.25, 0.5], **{**RUN, **options})
        assert not first.exists()
        assert not first.with_name("out_0.25.tsv.json").exists()

    for folder in (tmp_path, "."):
        with pytest.raises(InputError, match=r"is a folder: expected .*, such as .*out.tsv"):
            smoothcert.certify(model, source, out=folder, sigma=[0.25, 0.5], **RUN)
    second.mkdir()
    refused("out_0.5.tsv")
    second.rmdir()
    second.write_text("mine")
    refused("exists and has no manifest beside it")
    assert second.read_text() == "mine"
    second.unlink()
    smoothcert.certify(model, source, out=second, sigma=0.5, **RUN).run()
    whole = second.read_bytes()
    refused(r"out_0.5.tsv was made by a different command: n 200 .log. against 300", n=300)
    refused(r"different command: selection.max -1 .log. against 3", max=3)
    assert second.read_bytes() == whole
    second.unlink()
    refused("is of a finished run, and its log .* is gone")
    second.with_name("out_0.5.tsv.json").unlink()
    second.touch()
    os.link(second, first)
    with pytest.raises(InputError, match="are one file: expected a log for each sigma"):
        smoothcert.certify(model, source, out=out, sigma=[0.25, 0.5], **RUN)
    assert not first.read_bytes()


def test_an_image_that_cannot_be_read_costs_every_level_that_image_alone(
    linear: Path, photograph_folder: Path, tmp_path: Path
) -> None:
    broken = sorted((photograph_folder / "red").iterdir())[2]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40])
    out, run = tmp_path / "out.tsv", {**RUN, "resize": 16, "seed": 1}
    summaries = carried_out(
        smoothcert.certify(linear, photograph_folder, out=out, sigma=[0.25, 0.5], **run)
    )
    assert [[each.index for each in done.failed] for done in summaries] == [[8], [8]]
    assert [len(untimed(log_at(out, sigma))) for sigma in (0.25, 0.5)] == [12, 12]


def test_a_model_that_is_bound_to_one_row_at_a_time_is_resumed(
    model: Path, source: Path, tmp_path: Path
) -> None:
    """Its batch is an entry of the run, which is known once a backend is open."""
    graph = onnx.load(str(model))
    flatten, gemm = graph.graph.node
    quantized = helper.make_node("DynamicQuantizeLinear", ["flat"], ["q", "scale", "point"])
    again = helper.make_node("DequantizeLinear", ["q", "scale", "point"], ["again"])
    gemm.input[0] = "again"
    nodes = [flatten, quantized, again, gemm]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    onnx.save(graph, str(model))
    run = {**RUN, "n": 50, "batch": 1, "max": 2}
    for certified in (2, 0):
        summaries = carried_out(
            smoothcert.certify(model, source, out=tmp_path / "out.tsv", sigma=[0.25, 0.5], **run)
        )
        assert [each.certified_now for each in summaries] == [certified] * 2
    assert read_manifest(tmp_path / "out_0.5.tsv")["run"]["batch"] == 1


def test_names_of_logs() -> None:
    assert log_at("runs/out.tsv", 0.0002) == Path("runs/out_0.0002.tsv")
    assert log_at("runs/sigma_all", 2.0) == Path("runs/sigma_all_2")
    assert log_at("a.b", 1 / 3) == Path("a.b_0.3333333333333333")
