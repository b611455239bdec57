"""Nanoseconds per pixel of the fused integer sampler, beside repeat + torch.randn_like + add.

python benchmarks/noise.py [--threads N] [--json]

Both run in one process, in alternating blocks, on the same cores; medians and ranges.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.machine import processor_name
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.engine.noise.streams import counters

SHAPES = {"ImageNet": (3, 224, 224, 32), "CIFAR": (3, 32, 32, 1024), "MNIST": (1, 28, 28, 2048)}
SIGMAS = (0.12, 0.25, 0.5, 1.0)
BLOCKS, ROUNDS = 4, 5


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, sigma: float, threads: int) -> dict[str, object]:
    """Alternating blocks of our sampler and torch's, nanoseconds per pixel."""
    channels, height, width, rows = SHAPES[name]
    spec = InputSpec(channels, height, width)
    image = np.random.default_rng(0).integers(0, 256, (1, spec.num_pixels)).astype(np.uint8)
    slots, addresses = np.zeros(rows, np.int32), counters(np.arange(rows), 1, 1)
    inputs = np.empty((rows, spec.num_pixels), np.float32)
    sampler = RowSampler(LatticeGaussian(sigma).table, 0, *spec.affine(), threads)
    x = torch.from_numpy(image.reshape(spec.shape)).float() / 255
    samples = iter(range(0, 2**31, rows))

    def ours() -> None:
        addresses[0] = np.arange(rows) + next(samples)
        sampler.fill(image, slots, addresses, inputs)

    def usual() -> None:
        batch = x.repeat((rows, 1, 1, 1))
        noise = torch.randn_like(batch) * sigma
        batch + noise

    times: dict[str, list[float]] = {"ours": [], "torch": []}
    for _ in range(BLOCKS):
        for key, work in (("ours", ours), ("torch", usual)):
            # torch's OpenMP threads spin for a while after their work: let them go to sleep, and
            # then the cores wake up.
            time.sleep(0.5)
            awake = time.perf_counter() + 0.2
            while time.perf_counter() < awake:
                work()
            times[key] += [seconds(work) for _ in range(ROUNDS)]
    pixels = rows * spec.num_pixels
    figures = {
        key: {
            "median": statistics.median(values) / pixels * 1e9,
            "min": min(values) / pixels * 1e9,
            "max": max(values) / pixels * 1e9,
        }
        for key, values in times.items()
    }
    return {"shape": name, "sigma": sigma, "rows": rows, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = [measure(name, sigma, options.threads) for name in SHAPES for sigma in SIGMAS]
    if options.json:
        record = {"processor": processor_name(), "threads": options.threads, "results": results}
        print(json.dumps(record))
        return
    print(f"{processor_name()}, {options.threads} threads, torch {torch.__version__}")
    print(f"{'shape':9} {'sigma':>5}  {'ns/pixel (min..max)':>22}  {'torch':>22}  ratio")
    for result in results:
        cells, medians = [], []
        for key in ("ours", "torch"):
            figure = result[key]
            assert isinstance(figure, dict)
            cells.append(f"{figure['median']:.2f} ({figure['min']:.2f}..{figure['max']:.2f})")
            medians.append(figure["median"])
        print(
            f"{result['shape']:9} {result['sigma']:5}  {cells[0]:>22}  {cells[1]:>22}  "
            f"{medians[1] / medians[0]:.1f}x"
        )


if __name__ == "__main__":
    main()
