"""Runs on a real cluster of several nodes: the log of one process, whatever is killed."""

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from untimed_logs import untimed

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.cluster.executor import (
    ClusterOptions,
    RayExecutor,
    worker_device,
)
from smoothcert.engine.run.execution import Job
from smoothcert.engine.statistics.procedures import FixedCertify

if importlib.util.find_spec("ray") is None:
    pytest.skip("ray is not installed: pip install 'smoothcert[ray]'", allow_module_level=True)

Rows = list[list[str]]
_STORE_BYTES = 80 * 2**20
_TOKEN = secrets.token_hex(32)  # Ray keeps the first that a process names


class Nodes:
    """A head without processors, and nodes that come and go."""

    def __init__(self) -> None:
        from ray._raylet import (  # type: ignore[attr-defined]
            AuthenticationTokenLoader,
            Config,
        )
        from ray.cluster_utils import Cluster

        Config.initialize("")  # the environment has changed since an earlier test imported Ray
        AuthenticationTokenLoader.instance().reset_cache()
        self.cluster: Any = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": _STORE_BYTES,
                "include_dashboard": False,
            },
        )
        self.address = str(self.cluster.address)

    def add(self, cpus: int = 1) -> Any:
        """One node more."""
        return self.cluster.add_node(num_cpus=cpus, object_store_memory=_STORE_BYTES)

    def remove(self, node: Any) -> None:
        """Kill a node and all that runs on it."""
        self.cluster.remove_node(node, allow_graceful=False)

    def worker_pids(self) -> list[int]:
        """The processes of certifying workers, of this cluster alone."""
        token = f"RAY_AUTH_TOKEN={_TOKEN}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                name = (folder / "cmdline").read_bytes()
                if name.startswith(b"ray::Worker") and token in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:  # it has gone meanwhile, or is another user's
                continue
        return sorted(found)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A cluster with a head alone, behind a token of its own."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", _TOKEN)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    scratch = tempfile.mkdtemp(prefix="sc-test-")  # a short path: sockets lie in it
    try:
        monkeypatch.setenv("RAY_TMPDIR", scratch)
        Path(scratch, "ray").mkdir()
        made = Nodes()
        try:
            yield made
        finally:
            made.cluster.shutdown()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def start(*arguments: object, stderr: Path | None = None) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    with stderr.open("w") if stderr else nullcontext(subprocess.PIPE) as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "smoothcert.cli.main", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def finish(process: subprocess.Popen[str], seconds: float = 150) -> str:
    """Wait for the command's success; returns its stderr."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        pytest.fail(f"still running after {seconds} s: {stdout}{stderr}")
    assert process.returncode == 0, stdout + stderr
    return stderr


def until(
    condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 90
) -> None:
    """Wait for something to happen while the command runs."""
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            pytest.fail(f"ended early with {process.returncode}: {process.communicate()}")
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


DEMO = Path(__file__).parents[4] / "data"
# Long enough that a fast machine is still at it when both workers have started.
OPTIONS = ("--sigma", "0.25", "--n0", "20", "--n", "1500", "--max", "30", "--batch", "32", "--seed",
           "7")  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    finish(start("export", DEMO / "fashion_mnist_sigma25.pth", "-o", path))
    return path


def rows_of(log: Path) -> int:
    return log.read_text().count("\n") - 1 if log.exists() else 0


@pytest.mark.slow
def test_whatever_is_killed_the_log_is_that_of_one_process(
    nodes: Nodes, model: Path, tmp_path: Path
) -> None:
    """A worker, the driver, then a node are killed with SIGKILL in the middle of one run."""
    source = DEMO / "fashion_mnist_500.npz"
    one, out = tmp_path / "one.tsv", tmp_path / "out.tsv"
    reference = start("certify", model, source, one, *OPTIONS, "--threads", 1)
    going = nodes.add()
    nodes.add()
    finish(reference)
    command = ("certify", model, source, out, *OPTIONS, "--ray", nodes.address, "--log-json")
    driver = start(*command)
    until(lambda: rows_of(out) >= 4 and len(nodes.worker_pids()) == 2, driver)
    os.kill(nodes.worker_pids()[0], signal.SIGKILL)
    until(lambda: rows_of(out) >= 8, driver)
    driver.kill()
    driver.communicate()
    kept = untimed(out)
    assert 8 <= len(kept) - 1 < 30
    log = tmp_path / "stderr.jsonl"
    driver = start(*command, stderr=log)
    until(lambda: log.read_text().count('"event": "worker"') == 2, driver)
    nodes.remove(going)
    nodes.add()
    finish(driver)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert untimed(out) == untimed(one)
    assert read_manifest(out)["run"] == read_manifest(one)["run"]
    assert read_manifest(out)["status"] == "complete"
    assert len(read_manifest(out)["sessions"]) == 2
    # What the first driver had logged was not done again, and the node took with it no more than
    # what was in flight there: a few images at work, and at most four that waited.
    lost = [event["images_returned"] for event in events if event["event"] == "worker lost"]
    assert len(lost) == 1
    assert lost[0] <= 8
    certified = [event["image"] for event in events if event["event"] == "image"]
    assert len(certified) == len(set(certified)) == 30 - (len(kept) - 1)


def photographs(folder: Path, model_shape: tuple[int, int] = (12, 12)) -> Path:
    """Two class folders of five PNGs each, of which `blue/2.png` is cut short."""
    rng = np.random.default_rng(3)
    for name in ("blue", "red"):
        (folder / name).mkdir(parents=True)
        for number in range(5):
            pixels = rng.integers(0, 256, (*model_shape, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    damaged = folder / "blue" / "2.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    return folder


@pytest.fixture
def photograph_model(linear_model: Callable[..., Path]) -> Path:
    weight = np.random.default_rng(0).normal(size=(2, 432))
    return linear_model(weight, np.zeros(2), (3, 12, 12))


@pytest.mark.slow
def test_a_private_cluster_writes_and_resumes_the_log_of_one_process(
    photograph_model: Path, tmp_path: Path
) -> None:
    """Also: a damaged photograph costs itself alone and is named, wherever it is read."""
    source = photographs(tmp_path / "photos")
    one, out = tmp_path / "one.tsv", tmp_path / "out.tsv"
    options = ("--sigma", "0.5", "--n", "2000", "--batch", "64", "--seed", "7")
    local = ("--ray", "local", "--workers", 1, "--log-json")
    process = start("certify", photograph_model, source, one, *options)
    stderr = process.communicate()[1]
    assert process.returncode == 1
    assert stderr.count("\n") == 1
    assert stderr.startswith("smoothcert: 1 of 10 images could not be certified")
    assert "2.png" in stderr
    assert read_manifest(one)["status"] == "partial"
    assert [failed["idx"] for failed in read_manifest(one)["failed"]] == [2]
    assert [row[0] for row in untimed(one)[1:]] == [str(i) for i in range(10) if i != 2]
    # Begun on a cluster whose workers read the photographs, as far as they can be read ...
    process = start("certify", photograph_model, source, out, *options, *local)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stdout + stderr
    assert '"reads_images": true' in stderr
    assert "1 of 10 images could not be certified" in stderr.splitlines()[-1]
    assert untimed(out) == untimed(one)
    assert read_manifest(out)["run"] == read_manifest(one)["run"]
    # ... and what one process began, finished on a cluster, pixels being sent this time.
    lines = one.read_text().splitlines(keepends=True)
    one.write_text("".join(lines[:4]))
    process = start("certify", photograph_model, source, one, *options, *local, "--decode=driver")
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stdout + stderr
    assert '"reads_images": false' in stderr
    assert untimed(out) == untimed(one)


@pytest.mark.slow
def test_a_private_cluster_listens_on_loopback_and_leaves_nothing(tmp_path: Path) -> None:
    script = """
from smoothcert.engine.run.cluster.connection import Connection
with Connection("local", 1, 0) as connection:
    nodes = connection.ray.nodes()
    print(connection._scratch, *{node["NodeManagerAddress"] for node in nodes})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    scratch, *addresses = done.stdout.split()
    assert addresses == ["127.0.0.1"]
    assert not Path(scratch).exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("ray://x:1", 1), "expected local, auto or HOST:PORT"),
        (("local", 0), "workers 0 is out of range"),
        (("local", 1, 0), "threads 0 is out of range"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    options: Any, words: str, photograph_model: Path
) -> None:
    model = open_onnx(photograph_model)
    job = Job(model=model, law=LatticeGaussian(0.5), procedure=FixedCertify(0.5), seed=0)
    with pytest.raises(InputError, match=words):
        RayExecutor(ClusterOptions(*options)).open(job)


@pytest.mark.parametrize("device", ["cuda:1", "cuda:0,cuda:1"])
def test_a_choice_among_gpus_is_refused_before_a_cluster_is_looked_for(
    photograph_model: Path, device: str
) -> None:
    job = Job(
        model=open_onnx(photograph_model),
        law=LatticeGaussian(0.5),
        procedure=FixedCertify(0.5),
        seed=0,
        compute=Compute(device=device),
    )
    with pytest.raises(
        InputError, match=f"^device '{device}' is not to be had with --ray"
    ) as caught:
        RayExecutor(ClusterOptions("ray://no.such.cluster:1")).open(job)
    assert "expected --device cuda:0, and --workers" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_worker_is_on_the_first_gpu_that_it_sees() -> None:
    assert [worker_device(device) for device in ("cuda", "cuda:all", "cuda:0")] == ["cuda:0"] * 3
    assert worker_device("cpu") == "cpu"


_POISON = """
import os, sys
from pathlib import Path
import numpy as np
from smoothcert.engine.backends.base import Compute
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.execution import Job
from smoothcert.engine.run.cluster.executor import ClusterOptions, RayExecutor
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.statistics.procedures import FixedCertify
from smoothcert.engine.sources.selection import Selection

driver = os.getpid()

class Source:
    def __len__(self): return 8
    def label(self, index): return 0
    def describe(self): return {"images": 8}
    def whole(self, index): raise NotImplementedError
    def image(self, index):
        if index == 3 and os.getpid() != driver:
            os._exit(1)  # as a decoder with a defect would
        return np.full((3, 12, 12), index, np.uint8)

job = Job(
    model=open_onnx(Path(sys.argv[1])), law=LatticeGaussian(0.5),
    procedure=FixedCertify(0.5, 20, 200), seed=0, compute=Compute(batch=32),
)
summary = Certification(
    job, Source(), Selection(), Path(sys.argv[2]),
    executor=RayExecutor(ClusterOptions("local", 1, 1, "workers")),
).run()
print([image.index for image in summary.failed])
"""


@pytest.mark.slow
def test_an_image_that_kills_its_workers_costs_only_itself(
    photograph_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    done = subprocess.run(
        [sys.executable, "-c", _POISON, photograph_model, out],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "[3]", done.stderr
    assert [int(row[0]) for row in untimed(out)[1:]] == [0, 1, 2, 4, 5, 6, 7]
    (failed,) = read_manifest(out)["failed"]
    assert failed["reason"].startswith("image 3: workers were lost with it")


@pytest.mark.slow
def test_an_interrupted_run_ends_at_once_and_is_resumable(
    photograph_model: Path, tmp_path: Path
) -> None:
    source = photographs(tmp_path / "photos")
    out = tmp_path / "out.tsv"
    command = ("certify", photograph_model, source, out, "--sigma", "0.5", "--n", "400000",
               "--batch", "64", "--ray", "local", "--workers", 1)  # fmt: skip
    process = start(*command)
    until(lambda: rows_of(out) >= 2, process)
    process.terminate()
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert stderr == "smoothcert: interrupted; the same command resumes\n"
    assert 2 <= rows_of(out) < 9
    assert all(len(row) == 11 for row in untimed(out))
