"""`certify --transfer-to`: int8 certified, float32 concluded, on the demo's real model."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats
from untimed_logs import untimed

from smoothcert.cli.main import main
from smoothcert.engine.backends.base import votes_of
from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.sources import open_source
from smoothcert.engine.statistics.bounds import lower_confidence_bound
from smoothcert.export.checkpoint_export import export_checkpoint
from smoothcert.export.precision.reduce import Reduction

DATA = Path(__file__).parents[2] / "data"
CHECKPOINT, SOURCE = DATA / "fashion_mnist_sigma25.pth", DATA / "fashion_mnist_500.npz"
OPTIONS = ["--sigma", 0.25, "--n", 1000, "--n-zeta", 500, "--skip", 100, "--batch", 32, "--seed", 0]


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def smoothcert(*arguments: object) -> Done:
    """The command in this process: a start of Python and the libraries each time takes longer."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        pytest.raises(SystemExit) as end,
    ):
        main([str(argument) for argument in arguments])
    return Done(int(end.value.code or 0), stdout.getvalue(), stderr.getvalue())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    fast, reference = folder / "int8.onnx", folder / "fp32.onnx"
    export_checkpoint(CHECKPOINT, reference)
    export_checkpoint(CHECKPOINT, fast, reduction=Reduction("int8", str(SOURCE), 0.25, images=16))
    return fast, reference


def rows_of(log: Path) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


@pytest.mark.slow
def test_transfer_is_sound_resumable_mergeable_and_auditable(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    fast, reference = models
    out = tmp_path / "out.tsv"
    done = smoothcert("certify", fast, SOURCE, out, *OPTIONS, "--transfer-to", reference)
    assert done.returncode == 0, done.stderr
    rows = rows_of(out)
    assert len(rows) == 5
    certified = [row for row in rows if row["predict_transfer"] != "-1"]
    assert len(certified) > 2
    network, law = OnnxRuntimeNetwork(open_onnx(reference), 100), LatticeGaussian(0.25)
    images = open_source(str(SOURCE), network.spec, 10)
    for row in certified:
        assert row["predict_transfer"] == row["predict"]
        assert float(row["radius_transfer"]) < float(row["radius"])
        # Fresh noise: another seed than the log's.
        image = images.image(int(row["idx"])).reshape(-1)
        noisy = image + law.sample(77, int(row["idx"]), 0, 2000, 784, 1)
        votes = 0
        for start in range(0, 2000, 100):
            network.inputs[:] = noisy[start : start + 100] / np.float32(255)
            votes += int((votes_of(network.run()) == int(row["predict"])).sum())
        most = 1 - float(lower_confidence_bound(2000 - votes, 2000, 1e-6))
        assert float(row["radius_transfer"]) <= 0.25 * stats.norm.ppf(most)

    # A killed run, resumed with another batch; two shards, merged: the same bytes but the time.
    lines = out.read_text().splitlines(keepends=True)
    resumed = tmp_path / "resumed.tsv"
    resumed.write_text("".join(lines[:3]) + lines[3][:20])
    manifest = (tmp_path / "out.tsv.json").read_text().replace('"complete"', '"running"')
    (tmp_path / "resumed.tsv.json").write_text(manifest)
    smaller = ["8" if option == 32 else option for option in OPTIONS]
    done = smoothcert("certify", fast, SOURCE, resumed, *smaller, "--transfer-to", reference)
    assert "5 images, 3 of them now" in done.stdout, done.stderr
    assert untimed(resumed) == untimed(out)
    shards = [tmp_path / f"{i}.tsv" for i in range(2)]
    for i, shard in enumerate(shards):
        sharded = (*OPTIONS, "--transfer-to", reference, "--shard", f"{i}/2")
        assert smoothcert("certify", fast, SOURCE, shard, *sharded).returncode == 0
    merged = tmp_path / "merged.tsv"
    assert smoothcert("merge", merged, *shards).returncode == 0
    assert untimed(merged) == untimed(out)

    # The model's own columns are those of a run without transfer.
    plain = tmp_path / "plain.tsv"
    arguments = [option for option in OPTIONS if option not in ("--n-zeta", 500)]
    assert smoothcert("certify", fast, SOURCE, plain, *arguments).returncode == 0
    for row, own in zip(rows, rows_of(plain), strict=True):
        same = ("idx", "label", "predict", "radius", "correct", "count", "n", "n0", "covers")
        assert [row[k] for k in same] == [own[k] for k in same]

    # The tables of both models.
    table = smoothcert("analyze", out, "--radii", "0,0.1", "--format", "csv", "--transferred")
    correct = [
        float(row["radius_transfer"]) for row in rows if row["predict_transfer"] == row["label"]
    ]
    for radius in (0.0, 0.1):
        share = sum(r >= radius for r in correct) / len(rows)
        assert f"{share:g}" in table.stdout
    assert table.stdout != smoothcert("analyze", out, "--format", "csv").stdout
    refused = smoothcert("analyze", plain, "--transferred")
    assert refused.returncode == 2
    assert "transfers no certificates" in refused.stderr

    audited = smoothcert("audit", out, SOURCE, "--rows", 3)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "bit for bit: no findings" in audited.stdout
    losses, zeta = certified[0]["losses"], certified[0]["zeta_upper"]
    edited = out.read_text().replace(
        f"\t{losses}\t500\t{zeta}", f"\t{int(losses) + 3}\t500\t{zeta}"
    )
    out.write_text(edited)
    audited = smoothcert("audit", out, SOURCE, "--rows", 0)
    assert audited.returncode == 1
    assert "losses give" in audited.stdout


def test_settings_of_another_transfer_are_another_run(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    fast, reference = models
    out = tmp_path / "out.tsv"
    options = ["--sigma", 0.25, "--n", 100, "--max", 1, "--batch", 8]
    transfer = ["--transfer-to", reference, "--n-zeta", 50]
    assert smoothcert("certify", fast, SOURCE, out, *options, *transfer).returncode == 0
    for other, words in (
        ([], "n_zeta 50 (log) against None"),
        (["--transfer-to", fast, "--n-zeta", 50], "transfer_to.sha256"),
        (["--transfer-to", reference, "--n-zeta", 60], "n_zeta 50 (log) against 60"),
        (["--n-zeta", 60], "give --transfer-to too"),
        (["--transfer-to", tmp_path / "absent.onnx"], "does not exist"),
    ):
        done = smoothcert("certify", fast, SOURCE, out, *options, *other)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
