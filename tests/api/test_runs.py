"""certify and predict from Python: the logs that the commands write."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from untimed_logs import untimed

import smoothcert
from smoothcert.cli.main import main
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path, read_manifest
from smoothcert.engine.log.merge import merge_shards
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    assert done.value.code == 0


def test_logs_are_those_of_the_commands(model: Path, source: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.tsv", tmp_path / "theirs.tsv"
    options: dict[str, Any] = {"sigma": 0.5, "n": 400, "radii": [0.25, 0.0], "max": 5, "batch": 32,
                               "seed": 3}  # fmt: skip
    summary = smoothcert.certify(model, str(source), out=ours, **options).summary
    assert (summary.images, summary.certified_now, summary.failed) == (5, 5, ())
    run("certify", model, source, theirs, "--sigma", 0.5, "--n", 400, "--radii", "0,0.25",
        "--max", 5, "--batch", 32, "--seed", 3)  # fmt: skip
    assert untimed(ours) == untimed(theirs)
    assert read_manifest(ours)["run"] == read_manifest(theirs)["run"]
    assert (
        smoothcert.certify(model, source, out=ours, **options).summary.certified_now == 0
    )  # resumed
    report = smoothcert.audit(ours, source, rows=5)
    assert (report.rows, report.repeated, report.findings) == (5, 5, [])
    assert len(smoothcert.read_log(ours)) == 5


def test_predictions_and_transfers(model: Path, source: Path, tmp_path: Path) -> None:
    predicted, transferred = tmp_path / "predicted.tsv", tmp_path / "transferred.tsv"
    smoothcert.predict(model, source, out=predicted, sigma=0.5, n=100).run()
    assert read_manifest(predicted)["run"]["procedure"] == "predict"
    smoothcert.certify(
        model, source, out=transferred, sigma=0.5, n=300, transfer_to=model, max=2
    ).run()
    assert read_manifest(transferred)["run"]["n_zeta"] == 1000
    assert not smoothcert.audit(transferred, source).findings


def test_what_does_not_go_together_is_refused_before_any_file_is_opened(tmp_path: Path) -> None:
    absent = tmp_path / "absent.onnx"
    for options, words in (
        ({"n": 3}, "n 3 is too small"),
        ({"alpha_zeta": 0.1}, "are of a transfer only"),
        ({"shard": "3"}, "is not of the form i/k"),
        ({"workers": 2}, "expected --ray with them"),
    ):
        with pytest.raises(InputError, match=words):
            smoothcert.certify(absent, "source", out=tmp_path / "log", sigma=0.5, **options).run()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("run", [smoothcert.certify, smoothcert.predict])
def test_a_seed_is_fresh_and_stays_the_logs(
    run: Callable[..., Any], model: Path, source: Path, tmp_path: Path
) -> None:
    one, other, given = (tmp_path / f"{name}.tsv" for name in ("one", "other", "given"))
    for log in (one, other):
        run(model, source, out=log, sigma=0.5, n=400, batch=32).run()
    seeds = [read_manifest(log)["run"]["seed"] for log in (one, other)]
    assert seeds[0] != seeds[1]
    assert max(seeds) >= 2**32
    assert untimed(one) != untimed(other)
    run(model, source, out=given, sigma=0.5, n=400, batch=32, seed=seeds[0]).run()
    assert untimed(given) == untimed(one)
    # Torn and resumed, without a seed: to the same rows.
    whole = untimed(one)
    one.write_text("".join(one.read_text().splitlines(keepends=True)[:5]) + "5\t1")
    run(model, source, out=one, sigma=0.5, n=400, batch=32).run()
    assert untimed(one) == whole
    assert read_manifest(one)["run"]["seed"] == seeds[0]
    with pytest.raises(InputError, match=f"seed {seeds[0]} .log. against {seeds[1]} .asked."):
        run(model, source, out=one, sigma=0.5, n=400, batch=32, seed=seeds[1]).run()
    # A finished run's manifest is not written over, though its log is gone.
    one.unlink()
    with pytest.raises(InputError, match=r"is of a finished run, and its log .* is gone"):
        run(model, source, out=one, sigma=0.5, n=400, batch=32).run()
    assert not one.exists()
    manifest_path(one).unlink()
    run(model, source, out=one, sigma=0.5, n=400, batch=32).run()
    assert read_manifest(one)["run"]["seed"] not in seeds


def test_shards_ask_for_one_seed(model: Path, source: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"sigma": 0.5, "n": 400, "batch": 32}
    shards = [tmp_path / f"{i}.tsv" for i in range(2)]
    with pytest.raises(InputError, match=r"^shard 0/2 is given no seed: [^\n]*$") as refused:
        smoothcert.certify(model, source, out=shards[0], shard="0/2", **options).run()
    assert not shards[0].exists()
    found = re.search(r"--seed (\d+)", str(refused.value))
    assert found
    seed = int(found[1])
    for i, shard in enumerate(shards):
        smoothcert.certify(model, source, out=shard, shard=f"{i}/2", seed=seed, **options).run()
        assert (
            smoothcert.certify(model, source, out=shard, shard=f"{i}/2", **options).summary.images
            == 6
        )
    whole = tmp_path / "whole.tsv"
    smoothcert.certify(model, source, out=whole, seed=seed, shard="0/1", **options).run()
    merge_shards(tmp_path / "merged.tsv", shards)
    assert untimed(tmp_path / "merged.tsv") == untimed(whole)


def test_more_images_than_share_alpha_are_refused(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    for options in ({}, {"shard": "1/4", "seed": 1}, {"max": 11, "family_wise": 10}):
        few: dict[str, Any] = {"family_wise": 11, **options}
        selected = few.get("max", 12)
        with pytest.raises(
            InputError,
            match=f"^family-wise {few['family_wise']} is too few for the {selected} images",
        ):
            smoothcert.certify(model, source, out=out, sigma=0.5, n=200, **few).run()
        assert not out.exists()
        assert not manifest_path(out).exists()
    for _ in range(2):  # and resumed
        smoothcert.certify(model, source, out=out, sigma=0.5, n=200, family_wise=11, max=11).run()
    assert read_manifest(out)["run"]["family_wise"] == 11
    shard = tmp_path / "shard.tsv"
    smoothcert.certify(
        model, source, out=shard, sigma=0.5, n=200, family_wise=12, shard="1/4", seed=1
    ).run()
    assert len(untimed(shard)) == 1 + 3


_N0, _N, _ALPHA = 20, 300, 1e-9
_KNOWN = 0


@pytest.fixture
def aligned(linear_model: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A linear model for the noise that one seed gives the one image of a source: the sum of all
    samples. The image lies on its hyperplane, so that each class has probability 1/2 there."""
    shape = (3, 64, 64)
    pixels = int(np.prod(shape))
    law = LatticeGaussian(0.25)
    weight: npt.NDArray[np.float64] = np.zeros(pixels)
    for purpose, count in ((Purpose.SELECTION, _N0), (Purpose.ESTIMATION, _N)):
        weight += law.sample(_KNOWN, 0, 0, count, pixels, purpose).sum(0, dtype=np.int64)
    weight /= np.linalg.norm(weight)
    bias = -128 / 255 * weight.sum()
    model = linear_model(np.stack([weight, -weight]), np.array([bias, -bias]), shape)
    source = tmp_path / "grey.npz"
    np.savez(source, images=np.full((1, *shape[1:], 3), 128, np.uint8), labels=np.zeros(1, int))
    return model, source


def test_a_model_made_for_a_seed_is_certified_by_that_seed_alone(
    aligned: tuple[Path, Path], tmp_path: Path
) -> None:
    """At a true probability of 1/2: why neither image nor model may depend on the seed, and why
    it is fresh by default. (By chance, this fails once in 10^9 runs.)"""
    options: dict[str, Any] = {"sigma": 0.25, "n0": _N0, "n": _N, "alpha": _ALPHA, "batch": 60}

    def certified(name: str, seed: int | None = None) -> tuple[int, int]:
        model, source, log = *aligned, tmp_path / name
        smoothcert.certify(model, source, out=log, seed=seed, **options).run()
        (row,) = [dict(zip(untimed(log)[0], row, strict=True)) for row in untimed(log)[1:]]
        return int(row["predict"]), int(row["count"])

    assert certified("known.tsv", seed=_KNOWN) == (0, _N)
    predict, count = certified("fresh.tsv")
    assert predict == -1
    assert 0.25 * _N < count < 0.75 * _N
