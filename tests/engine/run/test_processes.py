"""Several worker processes, here on the CPU: the log is that of one process, whatever happens."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from untimed_logs import untimed

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.base.errors import InputError, RunStoppedError
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.execution import Executor, Job
from smoothcert.engine.run.processes import ProcessExecutor, devices_of, executor_for
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import FailedImage
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import FixedCertify, Procedure
from smoothcert.engine.statistics.table import TableCertify

SIGMA = 0.5
SHAPE = (3, 6, 6)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Model:
    rng = np.random.default_rng(0)
    return open_onnx(linear_model(3 * rng.normal(size=(4, 108)), rng.normal(size=4), SHAPE))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (24, 6, 6, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.arange(24) % 4)
    return tmp_path / "images.npz"


class Watching:
    """A Watcher that does something when the first image is decided."""

    def __init__(self, on_first_image: Callable[[], None] = lambda: None) -> None:
        self.samples = 0
        self.decided = 0
        self._on_first_image = on_first_image

    def begin(self, images: int, done: int, samples: int) -> None:
        pass

    def batch(self, samples: int) -> None:
        self.samples += samples

    def image(self, certificate: Certificate, unused: int) -> None:
        self.decided += 1
        if self.decided == 1:
            self._on_first_image()

    def failed(self, image: FailedImage, unused: int) -> None:
        pass

    def event(self, name: str, details: dict[str, Any]) -> None:
        pass


def fixed(tau: float) -> Procedure:
    return FixedCertify(SIGMA, 20, 400, 0.001, tau)


def certify(
    model: Model,
    source: Path | Any,
    out: Path,
    executor: Executor | None = None,
    make: Callable[[float], Procedure] = fixed,
    watcher: Watching | None = None,
    compute: Compute | None = None,
) -> None:
    images = open_source(str(source), model.spec, 4) if isinstance(source, Path) else source
    law = LatticeGaussian(SIGMA)
    job = Job(
        model=model,
        law=law,
        procedure=make(law.total_variation(model.spec.num_pixels)),
        seed=0,
        compute=compute or Compute(batch=64, backend="onnxruntime"),
    )
    Certification(job, images, Selection(), out, executor=executor).run(watcher)


@pytest.mark.parametrize(
    ("workers", "make"),
    [(3, fixed), (2, lambda tau: TableCertify(SIGMA, (0.0, 0.25), 1000, total_variation=tau))],
)
def test_the_log_is_that_of_one_process(
    model: Model, source: Path, tmp_path: Path, workers: int, make: Callable[[float], Procedure]
) -> None:
    certify(model, source, tmp_path / "one.tsv", make=make)
    watcher = Watching()
    executor = ProcessExecutor(["cpu"] * workers)
    certify(model, source, tmp_path / "many.tsv", executor, make, watcher)
    assert untimed(tmp_path / "many.tsv") == untimed(tmp_path / "one.tsv")
    assert len(untimed(tmp_path / "many.tsv")) == 25
    one, many = (read_manifest(tmp_path / name) for name in ("one.tsv", "many.tsv"))
    assert one["run"] == many["run"]
    assert many["status"] == "complete"
    assert many["sessions"][0]["workers"] == ["cpu"] * workers
    assert watcher.decided == 24
    drawn = [int(row[8]) for row in untimed(tmp_path / "many.tsv")[1:]]
    assert watcher.samples == sum(drawn)
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_leaves_a_log_that_resumes(
    model: Model, source: Path, tmp_path: Path
) -> None:
    certify(model, source, tmp_path / "reference.tsv", make=long)
    out = tmp_path / "out.tsv"

    def kill_one() -> None:
        os.kill(int(multiprocessing.active_children()[0].pid or 0), signal.SIGKILL)

    with pytest.raises(RunStoppedError, match="was killed by SIGKILL before its work was done"):
        certify(model, source, out, ProcessExecutor(["cpu"] * 2), long, Watching(kill_one))
    assert not multiprocessing.active_children()
    done = untimed(out)[1:]
    assert 1 <= len(done) < 24
    assert read_manifest(out)["status"] == "running"
    certify(model, source, out, make=long)  # whatever executes it
    assert untimed(out) == untimed(tmp_path / "reference.tsv")
    assert len(read_manifest(out)["sessions"]) == 2


def long(tau: float) -> Procedure:
    return FixedCertify(SIGMA, 20, 8000, 0.001, tau)


def test_an_interrupted_run_ends_its_workers(model: Model, source: Path, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        certify(
            model,
            source,
            tmp_path / "out.tsv",
            ProcessExecutor(["cpu"] * 2),
            long,
            Watching(interrupt),
        )
    assert not multiprocessing.active_children()
    assert len(untimed(tmp_path / "out.tsv")) >= 2


def test_what_a_worker_refuses_is_one_line_and_nothing_is_written(
    model: Model, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    with pytest.raises(InputError, match=r"^device 'tpu' is unknown") as caught:
        certify(model, source, out, ProcessExecutor(["cpu", "tpu"]))
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert not multiprocessing.active_children()


def test_an_image_that_cannot_be_read_costs_only_itself(model: Model, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(8):
        folder = tmp_path / "photos" / str(number % 4)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
    certify(model, tmp_path / "photos", tmp_path / "whole.tsv")
    (tmp_path / "photos" / "2" / "6.jpg").write_bytes(b"no image")
    out = tmp_path / "out.tsv"
    certify(model, tmp_path / "photos", out, ProcessExecutor(["cpu"] * 2))
    whole = untimed(tmp_path / "whole.tsv")
    assert untimed(out) == [row for row in whole if row[0] != "5"]
    (failed,) = read_manifest(out)["failed"]
    assert failed["idx"] == 5
    assert "6.jpg" in failed["reason"]


class Unknown:
    """A source of a kind that no worker can import."""

    def __len__(self) -> int:
        return 3

    def label(self, index: int) -> int:
        return 0

    def image(self, index: int) -> Any:
        raise AssertionError("never asked for")

    def describe(self) -> dict[str, Any]:
        return {}


def test_what_nobody_expected_stops_the_run_in_one_line(model: Model, tmp_path: Path) -> None:
    with pytest.raises(RunStoppedError, match=r"^the worker on cpu failed: .*module") as caught:
        certify(model, Unknown(), tmp_path / "out.tsv", ProcessExecutor(["cpu"] * 2))
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()


def test_devices_are_listed_once() -> None:
    assert devices_of("cpu") == ["cpu"]
    assert devices_of("cuda:0,cuda:3") == ["cuda:0", "cuda:3"]
    with pytest.raises(InputError, match="names one twice"):
        devices_of("cuda:0,cuda:0")
    assert isinstance(executor_for("cuda:0,cuda:1"), ProcessExecutor)
    assert not isinstance(executor_for("cuda:0"), ProcessExecutor)


def test_all_gpus_of_a_machine_without_one(model: Model, source: Path, tmp_path: Path) -> None:
    if gpus():
        pytest.skip("needs a machine without a GPU")
    with pytest.raises(InputError, match="cuda:all finds no NVIDIA GPU"):
        certify(model, source, tmp_path / "out.tsv", compute=Compute(device="cuda:all"))
    assert not (tmp_path / "out.tsv").exists()


def test_sources_travel_to_other_processes(source: Path, model: Model) -> None:
    images = open_source(str(source), model.spec, 4)
    again = pickle.loads(pickle.dumps(images))
    assert np.array_equal(again.image(3), images.image(3))
    assert again.describe() == images.describe()
