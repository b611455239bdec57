"""How far one driver goes: a discrete-event model of a run, from costs that it measures first.

    python benchmarks/scaling_model.py [--read-gbps 20] [--max-gpus 10000]

Measures on this machine: appending to the ledger, memory of a row, reading a photograph, and the
driver's work per image on a private Ray cluster. Then simulates workers that hold images ahead, one
driver, and one source storage, and prints Markdown: the share of the GPUs' time that is used, and
how long a million to a billion images take. What cannot be measured here is an argument, and is
printed with the results. Two minutes.
"""

import argparse
import heapq
import io
import os
import tempfile
import time
import tracemalloc
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.cluster.executor import ClusterOptions, RayExecutor
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source, photograph
from smoothcert.engine.sources.base import FailedImage
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import Decision, Predict
from smoothcert.export.opening import open_model

DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Costs:
    """Seconds per image, and bytes per row."""

    ledger: float
    driver: float
    decode: float
    photograph_bytes: int
    row_disk: float
    row_memory: float


@dataclass(frozen=True)
class Workload:
    """Images of `mean` samples, exponentially distributed or (fixed) all alike, on a GPU that takes
    `rate` samples per second; `read` bytes are read per image and `decode` seconds spent."""

    name: str
    mean: float
    fixed: bool
    rate: float
    read: float
    decode: float


def measure_ledger(rows: int = 20_000) -> tuple[float, float, float]:
    """Seconds to append a row (synced as in a run), its bytes on disk, its bytes in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.tsv"
        certificates = [
            Certificate(i, 3, Decision(3, 0.523416, 99_321, 100_000, 100, 100_100), 1.25, "00" * 8)
            for i in range(rows)
        ]
        with Ledger(path, {}, {}) as ledger:
            start = time.perf_counter()
            for certificate in certificates:
                ledger.append(certificate)
            seconds = (time.perf_counter() - start) / rows
        size = path.stat().st_size / rows
        tracemalloc.start()
        with Ledger(path, {}, {}):
            memory = tracemalloc.get_traced_memory()[0] / rows
            tracemalloc.stop()
    return seconds, size, memory


def measure_decode(repeats: int = 30) -> tuple[float, int]:
    """Seconds to decode, resize and crop a JPEG of 500x375 on one core, and its bytes."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (375, 500, 3)).astype(np.uint8))
    file = io.BytesIO()
    noise.filter(ImageFilter.GaussianBlur(1)).save(file, "JPEG", quality=95)
    data = file.getvalue()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        photograph.decode(data, "made", photograph.DEFAULT_SPEC)
        times.append(time.perf_counter() - start)
    return float(np.median(times)), len(data)


class _Clock:
    """A Watcher that notes this process's processor time at every image."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def begin(self, images: int, done: int, samples: int) -> None: ...

    def batch(self, samples: int) -> None: ...

    def image(self, certificate: Certificate, unused: int) -> None:
        self.times.append(time.process_time())

    def failed(self, image: FailedImage, unused: int) -> None: ...

    def event(self, name: str, details: dict[str, Any]) -> None: ...


def measure_driver(images: int = 500) -> float:
    """Seconds of this process's processor time per image of a run on Ray, the ledger included:
    images of 50 samples, each of which makes its own way back. The first tenth warms up."""
    model = open_model(DATA / "fashion_mnist_sigma25.pth")
    source = open_source(DATA / "fashion_mnist_500.npz", model.spec, model.num_classes)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        law = LatticeGaussian(0.25)
        procedure = Predict(50, 0.001, law.total_variation(model.spec.num_pixels))
        Certification(
            Job(model=model, law=law, procedure=procedure, seed=0, compute=Compute(batch=50)),
            source,
            Selection(limit=images),
            Path(folder) / "out.tsv",
            executor=RayExecutor(ClusterOptions("local", 1, 1)),
        ).run(clock)
    first = images // 10
    return (clock.times[-1] - clock.times[first]) / (images - 1 - first)


def simulate(
    gpus: int, workload: Workload, driver: float, read_rate: float, images_per_gpu: int, ahead: int
) -> float:
    """The share of the GPUs' time in which they work, in steady state.

    Each GPU works off a queue; the driver, one server, takes each result in and sends another
    image; the storage, one server of `read_rate` bytes per second, is read; the GPU's machine
    decodes on one core per GPU.
    """
    rng = np.random.default_rng(0)
    mean = workload.mean / workload.rate

    def duration() -> float:
        return mean if workload.fixed else float(rng.exponential(mean))

    ready: list[deque[float]] = [deque([0.0] * ahead) for _ in range(gpus)]
    decoded = [0.0] * gpus
    driver_free = storage_free = busy = end = 0.0
    # GPUs that begin together would finish together: spread the first images.
    events = [(float(rng.uniform(0, mean)), gpu) for gpu in range(gpus)]
    heapq.heapify(events)
    half, done = gpus * images_per_gpu // 2, 0
    begin = 0.0
    while done < gpus * images_per_gpu:
        now, gpu = heapq.heappop(events)
        done += 1
        if done == half:
            begin, busy = now, 0.0
        driver_free = max(now, driver_free) + driver
        storage_free = max(driver_free, storage_free) + workload.read / read_rate
        decoded[gpu] = max(storage_free, decoded[gpu]) + workload.decode
        ready[gpu].append(decoded[gpu])
        work = duration()
        busy += work
        heapq.heappush(events, (max(now, ready[gpu].popleft()) + work, gpu))
        end = now
    return min(1.0, busy / (gpus * (end - begin)))


def duration_text(seconds: float) -> str:
    for unit, size in (("years", 31_557_600), ("days", 86_400), ("hours", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} s"


def measure() -> Costs:
    ledger, disk, memory = measure_ledger()
    decode, size = measure_decode()
    return Costs(ledger, measure_driver(), decode, size, disk, memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--read-gbps", type=float, default=20.0, help="source storage, gigabit/s")
    parser.add_argument("--imagenet-rate", type=float, default=5_000.0, help="samples/s of a GPU")
    parser.add_argument("--cifar-rate", type=float, default=40_000.0, help="samples/s of a GPU")
    parser.add_argument("--ahead", type=int, default=8, help="images that wait at a worker")
    parser.add_argument("--max-gpus", type=int, default=10_000)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the workers, which inherit it
    costs = measure()
    print("| measured here | |\n|---|---|")
    print(f"| ledger, rows per second | {1 / costs.ledger:,.0f} |")
    print(f"| row, bytes on disk / in the driver's memory | {costs.row_disk:.0f} / "
          f"{costs.row_memory:.0f} |")  # fmt: skip
    print(f"| driver on Ray, processor time per image | {costs.driver * 1e3:.2f} ms |")
    print(f"| driver on Ray, images per second | {1 / costs.driver:,.0f} |")
    print(f"| photograph of {costs.photograph_bytes / 1e3:.0f} kB, decoded per second and core | "
          f"{1 / costs.decode:,.0f} |")  # fmt: skip
    print(f"\nAssumed: source storage {options.read_gbps:g} Gbit/s; a GPU takes "
          f"{options.imagenet_rate:,.0f} (ImageNet) or {options.cifar_rate:,.0f} (CIFAR) samples "
          f"per second; {options.ahead} images wait at a worker.\n")  # fmt: skip
    read = options.read_gbps * 1e9 / 8
    photo = (float(costs.photograph_bytes), costs.decode)
    workloads = (
        Workload("ImageNet, n = 100,000", 100_100, True, options.imagenet_rate, *photo),
        Workload("ImageNet, table mode", 7_700, False, options.imagenet_rate, *photo),
        Workload("CIFAR, n = 100,000", 100_100, True, options.cifar_rate, 3_072, 0.0),
        Workload("CIFAR, table mode", 7_700, False, options.cifar_rate, 3_072, 0.0),
    )
    counts = [gpus for gpus in (1, 10, 100, 1_000, 10_000) if gpus <= options.max_gpus]
    print("Share of the GPUs' time that one driver uses, and GPUs at which it is saturated:\n")
    print("| workload | " + " | ".join(f"{gpus:,}" for gpus in counts) + " | driver | storage |")
    print("|---" * (len(counts) + 3) + "|")
    shares: dict[tuple[str, int], float] = {}
    for workload in workloads:
        seconds = workload.mean / workload.rate
        for gpus in counts:
            rounds = max(2 * options.ahead + 4, min(200, 20_000 // gpus))
            shares[workload.name, gpus] = simulate(
                gpus, workload, costs.driver, read, rounds, options.ahead
            )
        cells = " | ".join(f"{shares[workload.name, gpus]:.0%}" for gpus in counts)
        limits = (seconds / costs.driver, seconds * read / workload.read)
        print(f"| {workload.name} | {cells} | " + " | ".join(f"{x:,.0f}" for x in limits) + " |")
    print("\nTime for so many images with one driver:\n")
    print("| workload | GPUs | 1e6 | 1e7 | 1e8 | 1e9 |\n|---|---|---|---|---|---|")
    for workload in workloads:
        for gpus in counts:
            rate = shares[workload.name, gpus] * gpus * workload.rate / workload.mean
            times = " | ".join(duration_text(10**k / rate) for k in (6, 7, 8, 9))
            print(f"| {workload.name} | {gpus:,} | {times} |")
    print("\n| rows | log | driver's memory for them |\n|---|---|---|")
    for k in (6, 7, 8, 9):
        print(f"| 1e{k} | {10**k * costs.row_disk / 1e9:,.2f} GB | "
              f"{10**k * costs.row_memory / 1e9:,.1f} GB |")  # fmt: skip


if __name__ == "__main__":
    main()
