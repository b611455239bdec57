"""How samples per second and memory grow: with batch, images in flight, classes, size, threads.

python benchmarks/growth.py OUT.json [--plot OUT.png] [--seconds 0.5] [--rounds 9] [--images 5000]

Networks have random weights: small_cnn, at 3 channels for the image sizes. "Images in flight" is
forced by small n: with n0 + n samples per image, a batch of B rows holds B / (n0 + n) images.
Memory is this process's resident set over a run of many images with small n, after the first
hundred: it must not grow.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import require
from smoothcert.engine.base.machine import describe_machine
from smoothcert.engine.bench.loops import CertificationLoop, synthetic_images
from smoothcert.engine.bench.rounds import Loop, measure_rates
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.procedures import FixedCertify
from smoothcert.export.random_model import write_random_model

SIGMA = 0.25
LAW = LatticeGaussian(SIGMA)
BATCHES = (1, 8, 32, 128, 512, 1024)
IN_FLIGHT = (1, 2, 8, 32)
CLASSES = (10, 100, 1000)
SIDES = (28, 56, 112, 224, 384)
# One image has at most so many rows in a batch of this benchmark's own.
FLIGHT_BATCH = 512


def resident_megabytes() -> float:
    """The resident set of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class ManyImages:
    """A Loop of whole images of n0 + n samples each, one after the other."""

    def __init__(self, name: str, model: Model, samples: int, batch: int, backend: str) -> None:
        self.name = name
        self._backend = open_backend(model, LAW, 0, Compute(backend=backend, batch=batch))
        n0 = max(1, samples // 10)
        self._procedure = FixedCertify(SIGMA, n0, samples - n0)

    def warm(self, seconds: float) -> None:
        self.run(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        start, samples = time.perf_counter(), 0

        def images() -> Iterator[LabelledImage]:
            for image in synthetic_images(self._backend.spec.shape):
                yield image
                if time.perf_counter() - start >= seconds:
                    return

        def count(batch: int) -> None:
            nonlocal samples
            samples += batch

        for _ in Scheduler(self._backend, self._procedure, count).run(images()):
            pass
        return samples, time.perf_counter() - start


def rates(loops: list[tuple[Any, Loop]], options: argparse.Namespace) -> list[dict[str, Any]]:
    """[{x, samples_per_second, spread}] of one series, interleaved."""
    measured = measure_rates([loop for _, loop in loops], options.rounds, options.seconds)
    return [
        {"x": x, "samples_per_second": measured[loop.name].median,
         "spread": measured[loop.name].spread}
        for x, loop in loops
    ]  # fmt: skip


def certification(
    name: str, model: Model, options: argparse.Namespace, batch: int, threads: int | None = None
) -> Loop:
    """The product's loop on a model, under a name of its own."""
    backend = open_backend(
        model, LAW, 0, Compute(backend=options.backend, batch=batch, threads=threads)
    )
    loop = CertificationLoop(backend, SIGMA)
    loop.name = name
    return loop


def memory(model: Model, images: int, batch: int, backend_name: str) -> dict[str, Any]:
    """The resident set after each tenth of a run of `images` images, and of one with large n."""
    backend = open_backend(model, LAW, 0, Compute(backend=backend_name, batch=batch))
    result: dict[str, Any] = {"images": images}
    for title, count, n in (("small_n", images, 20), ("large_n", 2, images * 10)):
        procedure = FixedCertify(SIGMA, 10, n)
        source = (image for image, _ in zip(synthetic_images(model.spec.shape), range(count),
                                            strict=False))  # fmt: skip
        curve = []
        for number, _ in enumerate(Scheduler(backend, procedure).run(source), start=1):
            if number == 1 or number % max(1, count // 10) == 0:
                curve.append([number, resident_megabytes()])
        result[title] = curve
    early = [megabytes for number, megabytes in result["small_n"] if number >= images // 10]
    result["growth_megabytes"] = early[-1] - early[0]
    return result


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All series."""

    def model(name: str, **given: Any) -> Model:
        return write_random_model("small_cnn", folder / f"{name}.onnx", **given)

    base = model("base")
    names = list(range(1, usable_cores() + 1))
    series: dict[str, list[tuple[Any, Loop]]] = {
        "batch": [(b, certification(f"b{b}", base, options, b)) for b in BATCHES],
        "images_in_flight": [
            (k, ManyImages(f"f{k}", base, FLIGHT_BATCH // k, FLIGHT_BATCH, options.backend))
            for k in IN_FLIGHT
        ],
        "classes": [
            (k, certification(f"c{k}", model(f"c{k}", num_classes=k), options, 256))
            for k in CLASSES
        ],
        "side": [
            (s, certification(f"s{s}", model(f"s{s}", input_shape=(3, s, s)), options, 16))
            for s in SIDES
        ],
        "threads": [(t, certification(f"t{t}", base, options, 256, t)) for t in names],
    }
    result: dict[str, Any] = {name: rates(loops, options) for name, loops in series.items()}
    for entry in result["side"]:
        entry["megapixels_per_second"] = entry["samples_per_second"] * 3 * entry["x"] ** 2 / 1e6
    result["memory"] = memory(base, options.images, 256, options.backend)
    result["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    result["backend"], result["machine"] = options.backend, describe_machine()
    return result


def plot(result: dict[str, Any], path: Path) -> None:
    """One small chart per series."""
    require("matplotlib", "report", "a plot of growth").use("Agg")
    pyplot = require("matplotlib.pyplot", "report", "a plot of growth")
    figure, axes = pyplot.subplots(2, 3, figsize=(11, 6), layout="constrained")
    titles = {
        "batch": "batch size",
        "images_in_flight": f"images in a batch of {FLIGHT_BATCH}",
        "classes": "classes",
        "side": "image side, 3 channels",
        "threads": "threads",
    }
    for axis, (name, title) in zip(axes.flat, titles.items(), strict=False):
        x = [entry["x"] for entry in result[name]]
        y = np.array([entry["samples_per_second"] for entry in result[name]])
        ends = np.array([entry["spread"] for entry in result[name]])
        axis.errorbar(x, y, yerr=[y - ends[:, 0], ends[:, 1] - y], marker="o", capsize=3)
        axis.set(xlabel=title, ylabel="samples/s", ylim=(0, None))
        if name != "threads":
            axis.set_xscale("log")
        axis.set_xticks(x, list(map(str, x)))
        axis.minorticks_off()
        axis.tick_params(axis="x", labelsize=8)
    images, megabytes = zip(*result["memory"]["small_n"], strict=True)
    axes.flat[-1].plot(images, megabytes, marker="o")
    top = 1.1 * max(megabytes)
    axes.flat[-1].set(xlabel="images certified", ylabel="resident MB", ylim=(0, top))
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    for name in ("batch", "images_in_flight", "classes", "side", "threads"):
        cells = [f"{entry['x']}: {entry['samples_per_second']:,.0f}" for entry in result[name]]
        print(f"{name:17} {', '.join(cells)}")
    median = statistics.median(megabytes for _, megabytes in result["memory"]["small_n"])
    print(
        f"memory            {median:.0f} MB, growth {result['memory']['growth_megabytes']:.1f} MB"
    )
    if options.plot:
        plot(result, options.plot)


if __name__ == "__main__":
    main()
