"""How well workers of a cluster are kept busy: idle time at the end, and scaling from 1 to 2.

    python benchmarks/cluster.py [--images 60] [--n 20000] [--workers 4]

Certifies images of the demo (data/) on a private Ray cluster of this machine, single-threaded
workers, in table mode with radii at which some images take a hundred times the samples of others.
Prints Markdown. The scaling is meaningful on a machine with nothing else to do and at least two
physical cores; the idle shares also where workers share cores. Minutes.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.cluster.executor import ClusterOptions, RayExecutor
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import FailedImage
from smoothcert.engine.sources.selection import Selection
from smoothcert.export.opening import open_model
from smoothcert.options import CertifyOptions

DATA = Path(__file__).parents[1] / "data"
SIGMA = 0.25
RADII = (0.0, 0.25, 0.5, 0.75)


@dataclass
class Timeline:
    """A Watcher that notes when what happened."""

    samples: list[tuple[float, int]] = field(default_factory=list)
    images: list[tuple[float, Certificate]] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)
    shares: list[dict[str, float]] = field(default_factory=list)

    def begin(self, images: int, done: int, samples: int) -> None: ...

    def batch(self, samples: int) -> None:
        self.samples.append((time.monotonic(), samples))

    def image(self, certificate: Certificate, unused: int) -> None:
        self.images.append((time.monotonic(), certificate))

    def failed(self, image: FailedImage, unused: int) -> None: ...

    def event(self, name: str, details: dict[str, Any]) -> None:
        if name == "worker":
            self.joined.append(time.monotonic())
        elif name == "finished":
            self.shares = details["workers"]

    @property
    def rate(self) -> float:
        """Samples per second from when the last worker joined to when the last image was done."""
        start, end = max(self.joined), self.images[-1][0]
        return sum(count for when, count in self.samples if when > start) / (end - start)

    def idle(self) -> tuple[float, float]:
        """Shares of the workers' time, after joining, in which they had no image: altogether, and
        before the last image was begun (after that, there was nothing to give)."""
        first = min(self.joined)
        end = self.images[-1][0] - first
        begun = max(when - first - certificate.seconds for when, certificate in self.images)
        present = sum(end - share["joined"] for share in self.shares)
        idle = sum(end - share["joined"] - share["busy"] for share in self.shares)
        unavoidable = sum(end - max(share["last"], begun) for share in self.shares)
        return idle / present, max(0.0, idle - unavoidable) / present


def run(workers: int, images: int, n: int, batch: int) -> Timeline:
    timeline = Timeline()
    model = open_model(DATA / "fashion_mnist_sigma25.pth")
    source = open_source(DATA / "fashion_mnist_500.npz", model.spec, model.num_classes)
    asked = CertifyOptions(SIGMA, None, n, 0.001, RADII, None, None, None, False, None)
    with tempfile.TemporaryDirectory() as folder:
        law = LatticeGaussian(SIGMA)
        procedure = asked.procedure(law.total_variation(model.spec.num_pixels))
        Certification(
            Job(model=model, law=law, procedure=procedure, seed=0, compute=Compute(batch=batch)),
            source,
            Selection(limit=images),
            Path(folder) / "out.tsv",
            executor=RayExecutor(ClusterOptions("local", workers, 1), timeline.event),
        ).run(timeline)
    return timeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the workers, which inherit it
    print("| workers | images | samples per image, least to most | samples/s | idle | avoidably |")
    print("|---|---|---|---|---|---|")
    rates = {}
    for workers in dict.fromkeys((1, 2, options.workers)):
        timeline = run(workers, options.images, options.n, options.batch)
        drawn = [certificate.decision.drawn for _, certificate in timeline.images]
        rates[workers] = timeline.rate
        idle, avoidable = timeline.idle()
        print(
            f"| {workers} | {len(drawn)} | {min(drawn):,} to {max(drawn):,} | "
            f"{timeline.rate:,.0f} | {idle:.1%} | {avoidable:.1%} |",
            flush=True,
        )
    print(f"\n2 workers against 1: {rates[2] / rates[1]:.2f}x")


if __name__ == "__main__":
    main()
