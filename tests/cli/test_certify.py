"""The certify and predict commands as a user runs them: results, errors in one line, exit codes."""

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import onnx
import pytest
from command_line import smoothcert, smoothcert_process

from smoothcert.cli.certify import command as certify_command
from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES
from smoothcert.engine.backends.opening import BACKENDS
from smoothcert.engine.base.machine import processor_flags
from smoothcert.engine.log.manifest import read_manifest

SHAPE = (3, 6, 6)


def test_certify_then_predict(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    done = smoothcert_process(
        "certify", model, source, out, "--sigma", 0.5, "--n", 300, "--n0", 20, "--batch", 32,
        "--seed", 0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # silent in a pipe
    said, last = done.stdout.splitlines()
    assert said == f"{model}: no preprocessing recorded: [0,1] pixels"
    assert last.startswith(f"{out}: 12 images, 12 of them now")
    assert len(out.read_text().splitlines()) == 13
    again = smoothcert(
        "certify", model, source, out, "--sigma", 0.5, "--n", 300, "--n0", 20, "--batch", 8,
        "--seed", 0,
    )  # fmt: skip
    assert again.returncode == 0
    assert "12 images, 0 of them now" in again.stdout
    predictions = tmp_path / "predictions.tsv"
    done = smoothcert(
        "predict", model, source, predictions, "--sigma", 0.5, "--n", 300, "--seed", 0
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in predictions.read_text().splitlines()[1:]]
    assert {row[3] for row in rows} == {"0.000000"}
    certified = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    for one, other in zip(rows, certified, strict=True):
        assert other[2] in ("-1", one[2])


def test_skip_max_and_shard(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    options = ["--sigma", 0.5, "--n", 100, "--skip", 2, "--max", 4, "--shard", "1/2", "--seed", 0]
    assert smoothcert("certify", model, source, out, *options).returncode == 0
    assert [line.split("\t")[0] for line in out.read_text().splitlines()[1:]] == ["2", "6"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sigma", "0"], "sigma 0.0 is out of range: expected 0.0002 <= sigma <= 4"),
        (["--sigma", "-1"], "sigma"),
        (["--sigma", "5"], "sigma"),
        (["--sigma", "nan"], "sigma"),
        (["--sigma", "x"], "--sigma"),
        ([], "--sigma"),
        (["--sigma", "0.5", "--alpha", "0"], "alpha"),
        (["--sigma", "0.5", "--alpha", "1"], "alpha"),
        (["--sigma", "0.5", "--n", "9"], "n 9 is too small ever to certify"),
        (["--sigma", "0.5", "--n", "0"], "n 0"),
        (["--sigma", "0.5", "--n", "99999999999"], "n 99999999999 is out of range"),
        (["--sigma", "0.5", "--n0", "0"], "n0"),
        (["--sigma", "0.5", "--batch", "0"], "batch"),
        (["--sigma", "0.5", "--skip", "0"], "skip"),
        (["--sigma", "0.5", "--max", "0"], "max"),
        (["--sigma", "0.5", "--shard", "4/4"], "shard"),
        (["--sigma", "0.5", "--shard", "x"], "shard"),
        (["--sigma", "0.5", "--shard", "0/4"], "shard 0/4 is given no seed"),
        (["--sigma", "0.5", "--family-wise", "11"], "family-wise 11 is too few for the 12 images"),
        (["--sigma", "0.5", "--seed", "-1"], "seed"),
        (["--sigma", "0.5", "--seed", str(2**64)], "seed"),
        (["--sigma", "0.5", "--device", "tpu"], "device"),
        (["--sigma", "0.5", "--backend", "abacus"], "abacus"),
        (["--sigma", "0.5", "--precision", "int4"], "int4"),
        (["--sigma", "0.5", "--precision", "bf16", "--backend", "onnxruntime"], "--backend openv"),
    ],
)
def test_bad_options_end_in_one_line(
    model: Path, source: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    out = tmp_path / "out.tsv"
    done = smoothcert("certify", model, source, out, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not out.exists()


def damaged(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def wrong_labels(path: Path) -> Path:
    np.savez(path, images=np.zeros((2, 6, 6, 3), np.uint8), labels=np.array([0, 4]))
    return path


def wrong_shape(path: Path) -> Path:
    np.savez(path, images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([0, 1]))
    return path


def wrong_type(path: Path) -> Path:
    np.savez(path, images=np.zeros((2, 6, 6, 3), np.complex64), labels=np.array([0, 1]))
    return path


def no_images(path: Path) -> Path:
    np.savez(path, images=np.zeros((0, 6, 6, 3), np.uint8), labels=np.zeros(0, np.int64))
    return path


@pytest.mark.parametrize(
    "spoil", [damaged, wrong_labels, wrong_shape, wrong_type, no_images, Path.unlink]
)
def test_bad_sources_end_in_one_line(
    model: Path, source: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(source)
    out = tmp_path / "out.tsv"
    done = smoothcert("certify", model, source, out, "--sigma", "0.5", "--n", "100")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()


@pytest.mark.skipif(bool(gpus()), reason="needs a machine without a GPU")
@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda:0", "certifying on a GPU needs an NVIDIA GPU and its driver"),
        ("cuda:all", "device cuda:all finds no NVIDIA GPU and driver on this machine"),
        ("cuda:0,cuda:1", "certifying on a GPU needs an NVIDIA GPU and its driver"),
        ("cuda:0,cuda:0", "device 'cuda:0,cuda:0' names one twice"),
        ("cuda:0,tpu", "certifying on a GPU needs an NVIDIA GPU and its driver"),
        ("tpu", "device 'tpu' is unknown: expected cpu, cuda:0"),
    ],
)
def test_devices_that_cannot_be_had_end_in_one_line(
    model: Path, source: Path, tmp_path: Path, device: str, words: str
) -> None:
    out = tmp_path / "out.tsv"
    done = smoothcert("certify", model, source, out, "--sigma", 0.5, "--device", device)
    assert done.returncode == 2
    assert done.stderr.startswith(f"smoothcert: {words}")
    assert done.stderr.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("spoil", [damaged, Path.unlink])
def test_bad_models_end_in_one_line(
    model: Path, source: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(model)
    done = smoothcert("certify", model, source, tmp_path / "out.tsv", "--sigma", "0.5")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_unwritable_outputs_end_in_one_line(model: Path, source: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine\n")
    for out in (tmp_path / "absent" / "out.tsv", tmp_path, notes):
        done = smoothcert("certify", model, source, out, "--sigma", "0.5", "--n", "100")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    assert notes.read_text() == "mine\n"


def test_an_unwritable_cache_ends_in_one_line(model: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = smoothcert_process(
        "certify", model, source, tmp_path / "out.tsv", "--sigma", "0.5", "--n", "100",
        SMOOTHCERT_CACHE=str(tmp_path / "file"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "SMOOTHCERT_CACHE" in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_run_is_refused_with_the_difference(
    model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    assert smoothcert("certify", model, source, out, "--sigma", 0.5, "--n", 100).returncode == 0
    before = out.read_bytes()
    done = smoothcert("certify", model, source, out, "--sigma", 0.25, "--n", 100)
    assert done.returncode == 2
    assert "sigma 0.5 (log) against 0.25 (asked)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    "mode",
    [
        ["--radii", "0,0.25,0.5", "--n", 5000],
        ["--radii", "0,0.5", "--n", 5000, "--setting", "fast", "--label-aware"],
        ["--tolerance", 0.05, "--n", 5000],
        ["--samples-price", 1.0, "--n", 5000, "--family-wise", 12],
    ],
)
def test_every_mode_certifies_analyzes_and_audits(
    mode: list[object], model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    mode = ["--sigma", 0.5, "--seed", 0, *mode]
    done = smoothcert("certify", model, source, out, *mode, "--batch", 32)
    assert done.returncode == 0, done.stderr
    other = tmp_path / "other.tsv"
    shards = [tmp_path / f"{i}.tsv" for i in range(2)]
    for i, shard in enumerate(shards):
        batch = (7, 1000)[i]
        done = smoothcert(
            "certify", model, source, shard, *mode, "--batch", batch, "--shard", f"{i}/2"
        )
        assert done.returncode == 0, done.stderr
    assert smoothcert("merge", other, *shards).returncode == 0
    untimed = [
        [line.split("\t")[:5] + line.split("\t")[6:] for line in log.read_text().splitlines()]
        for log in (out, other)
    ]
    assert untimed[0] == untimed[1]
    assert smoothcert("analyze", out).returncode == 0
    audited = smoothcert("audit", out, source, "--rows", 5)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "bit for bit: no findings" in audited.stdout
    out.write_text(out.read_text().replace("\t0.", "\t1."))
    audited = smoothcert("audit", out, source, "--rows", 0)
    assert audited.returncode == 1
    assert "radius" in audited.stdout


def test_a_bf16_log_is_audited_in_bf16(model: Path, source: Path, tmp_path: Path) -> None:
    if HOST_RUNTIMES["openvino"].version is None or not (
        {"avx512_bf16", "amx_bf16"} & set(processor_flags())
    ):
        pytest.skip("bf16 needs openvino and a processor that has it")
    out = tmp_path / "out.tsv"
    options = ["--sigma", 0.5, "--n", 2000, "--batch", 32, "--precision", "bf16", "--seed", 0]
    done = smoothcert("certify", model, source, out, *options)
    assert done.returncode == 0, done.stderr
    audited = smoothcert("audit", out, source, "--rows", 12)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "12 certified again" in audited.stdout
    assert "compared bit for bit: no findings" in audited.stdout


def test_the_choices_are_the_backends_there_are() -> None:
    (option,) = [p for p in certify_command.params if p.name == "backend"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == BACKENDS


def test_audit_refuses_what_is_not_the_logs(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    smoothcert("certify", model, source, out, "--sigma", 0.5, "--n", 100)
    model.write_bytes(model.read_bytes() + b"\x00\x00")
    for arguments in (
        [out, source],
        [out, tmp_path / "absent.npz"],
        [tmp_path / "absent.tsv", source],
        [out, source, "--rows", "-1"],
    ):
        done = smoothcert("audit", *arguments)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("all_cores")
def test_what_is_not_proven_and_what_has_changed_is_said_in_a_line(
    model: Path, source: Path, tmp_path: Path
) -> None:
    graph = onnx.load(str(model))
    graph.graph.node.extend(
        [
            onnx.helper.make_node("Unsqueeze", ["logits", "two"], ["wide"]),
            onnx.helper.make_node("Squeeze", ["wide"], ["narrow"], name="all_ones"),
        ]
    )
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "two"))
    graph.graph.output[0].name = "narrow"
    onnx.save(graph, str(model))
    out = tmp_path / "out.tsv"
    run = ("certify", model, source, out, "--sigma", 0.5, "--n", 300, "--batch", 32, "--max", 4)
    done = smoothcert(*run, "--backend", "onnxruntime", "--threads", 1)
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"smoothcert: row independence of model {model} is not proven (node ")
    assert "'all_ones' (Squeeze)" in line
    assert read_manifest(out)["row_independence"] == {model.name: "probed"}
    out.write_text("".join(out.read_text().splitlines(keepends=True)[:3]))
    done = smoothcert(*run, "--backend", "onnxruntime", "--threads", 2)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[1:] == [
        "smoothcert: this part of the log runs under other circumstances than it was begun with, "
        "and rounding may turn votes: threads 1 (log) against 2 (asked)"
    ]
