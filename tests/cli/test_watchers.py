"""JSON lines and metrics of real runs; images that cannot be read; --strict."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.cli.watchers import Sayings
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path, read_manifest


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "smoothcert.cli.main", *map(str, arguments)]


def smoothcert(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    weight = np.random.default_rng(0).normal(size=(2, 3 * 12 * 12))
    return linear_model(weight, np.zeros(2), (3, 12, 12))


@pytest.fixture
def photographs(photograph_folder: Path) -> Path:
    """Twelve photographs of the model's size; number 2 is damaged."""
    from PIL import Image

    for file in photograph_folder.rglob("*.jpg"):
        Image.open(file).resize((12, 12)).save(file)
    damaged = photograph_folder / "blue" / "2.jpg"
    damaged.write_bytes(damaged.read_bytes()[:80])
    return photograph_folder


OPTIONS = ("--sigma", "0.5", "--n", "200", "--batch", "32", "--seed", "0")


def test_a_damaged_image_costs_itself_and_is_tried_again(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    done = smoothcert("certify", model, photographs, out, *OPTIONS)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "1 of 12 images could not be certified, the first being image 2: " in done.stderr
    manifest = read_manifest(out)
    assert manifest["status"] == "partial"
    assert [(f["idx"], "2.jpg" in f["reason"]) for f in manifest["failed"]] == [(2, True)]
    first = out.read_text().splitlines()
    assert [line.split("\t")[0] for line in first[1:]] == [str(i) for i in range(12) if i != 2]
    # Its size belongs to the source's identity, so repaired in place it must keep it.
    merged = smoothcert("merge", tmp_path / "merged.tsv", out)
    assert merged.returncode == 2
    assert "lacks 1 images that could not be certified (image 2" in merged.stderr
    again = smoothcert("certify", model, photographs, out, *OPTIONS)
    assert again.returncode == 1
    assert "12 images, 0 of them now" in again.stdout
    assert out.read_text().splitlines() == first


def test_strict_stops(model: Path, photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    done = smoothcert("certify", model, photographs, out, *OPTIONS, "--strict")
    assert done.returncode == 2
    assert "2.jpg" in done.stderr
    assert done.stderr.count("\n") == 1
    assert read_manifest(out)["status"] == "running"
    assert manifest_path(out).exists()


def test_events_are_json_lines(model: Path, photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    done = smoothcert("certify", model, photographs, out, *OPTIONS, "--log-json")
    *lines, last = done.stderr.splitlines()
    assert last.startswith("smoothcert: 1 of 12")
    events = [json.loads(line) for line in lines]
    inferred, begin = events[:2]
    assert inferred["event"] == "inferred"
    assert "no preprocessing recorded" in inferred["what"]
    assert begin["event"] == "begin"
    assert (begin["images"], begin["done"]) == (12, 0)
    rows = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    logged = {e["image"]: e for e in events if e["event"] == "image"}
    assert {int(row[0]): float(row[3]) for row in rows} == {
        index: event["radius"] for index, event in logged.items()
    }
    assert [e["image"] for e in events if e["event"] == "failed"] == [2]
    assert all(event["time"].endswith("+00:00") for event in events)


def test_metrics_count_what_the_log_says(model: Path, photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")
    from smoothcert.cli.metrics import Metrics
    from smoothcert.runs import certify

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    out = tmp_path / "out.tsv"
    with Metrics(port) as metrics:
        certify(
            model, photographs, out=out, sigma=0.5, n0=20, n=200, batch=32, watcher=metrics
        ).run()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        with pytest.raises(InputError, match=f"metrics port {port}"):
            Metrics(port)
    values = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
    rows = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    assert float(values["smoothcert_images_total"]) == len(rows) == 11
    assert float(values["smoothcert_samples_total"]) == 11 * 220
    assert float(values["smoothcert_errors_total"]) == 1
    abstained = sum(row[2] == "-1" for row in rows)
    assert float(values["smoothcert_abstentions_total"]) == abstained
    assert float(values["smoothcert_images_selected"]) == 12
    with pytest.raises(OSError, match="refused"):  # the port is closed with the run
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics")


def test_the_command_serves_metrics_while_it_runs(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        command("certify", model, photographs, tmp_path / "out.tsv", "--sigma", "0.5",
                "--n", 10**9, "--batch", 32, "--metrics-port", port),
        stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        text = ""
        end = time.monotonic() + 60
        while "smoothcert_images_selected 12.0" not in text and time.monotonic() < end:
            assert process.poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                    text = answer.read().decode()
            except OSError:
                time.sleep(0.05)
        assert "smoothcert_images_selected 12.0" in text
    finally:
        process.terminate()
        stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert stderr == b"smoothcert: interrupted; the same command resumes\n"


@pytest.mark.parametrize("options", [("--workers", "2"), ("--decode", "driver")])
def test_options_of_a_cluster_need_one(
    options: tuple[str, str], model: Path, photographs: Path, tmp_path: Path
) -> None:
    done = smoothcert("certify", model, photographs, tmp_path / "out.tsv", *OPTIONS, *options)
    assert done.returncode == 2
    assert "add --ray local" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_was_inferred_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Sayings().event("inferred", {"of": "two\nlines \udce9", "what": "such"})
    Sayings().event("worker", {})
    assert capsys.readouterr().out == "two\\nlines \\udce9: such\n"
