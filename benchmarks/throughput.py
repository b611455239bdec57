"""Samples per second of the certification loop, of the bare runtime, and of the original loop.

python benchmarks/throughput.py [--arch cifar_resnet110] [--input-shape 3,32,32] [--json]

Random weights; one process; alternating blocks on the same cores, so that ratios hold where
absolute figures drift. The certification loop is the product's own: scheduler, exact noise,
votes, procedure. The bare runtime runs a constant batch of the same size. The original loop is
the one that Cohen, Rosenfeld, Kolter 2019 describe, in torch on the same machine: repeat the
image, draw randn, add, forward, argmax, count the classes in Python; with the batch of 1,000
that its command has by default, and again with ours.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from smoothcert.engine.backends import open_backend
from smoothcert.engine.backends.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.environment import processor_name, usable_cores
from smoothcert.engine.input_spec import InputSpec
from smoothcert.engine.lattice import LatticeGaussian
from smoothcert.engine.models import open_onnx
from smoothcert.engine.procedures import FixedCertify
from smoothcert.engine.scheduler import LabelledImage, Scheduler
from smoothcert.export.architectures import architecture
from smoothcert.export.onnx_model import write_onnx

SIGMA = 0.25
ORIGINAL_BATCH = 1000
BLOCKS = 5
BLOCK_SECONDS = 6.0


def original_loop(module: torch.nn.Module, x: torch.Tensor, num: int, batch: int) -> list[int]:
    """Class counts of num noisy copies of x, the original way."""
    with torch.no_grad():
        counts = [0] * 10_000
        while num > 0:
            this = min(batch, num)
            num -= this
            noisy = x.repeat((this, 1, 1, 1))
            noise = torch.randn_like(noisy) * SIGMA
            for predicted in module(noisy + noise).argmax(1).numpy():
                counts[predicted] += 1
        return counts


def rate(work: Callable[[int], object], samples: int) -> float:
    """Samples per second of work(samples)."""
    start = time.perf_counter()
    work(samples)
    return samples / (time.perf_counter() - start)


def measure(arch: str, spec: InputSpec, classes: int, batch: int | None) -> dict[str, object]:
    """Median samples per second of the three loops, and their ratios block by block."""
    torch.manual_seed(0)
    module = architecture(arch, classes, spec.shape).eval()
    image = np.random.default_rng(0).integers(0, 256, spec.shape).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{arch}.onnx"
        write_onnx(module, spec, classes, path, metadata={"arch": arch})
        model = open_onnx(path)
        backend = open_backend(model, LatticeGaussian(SIGMA), 0, batch=batch)
        batch = backend.batch_size
        network = OnnxRuntimeNetwork(model, batch)
    network.inputs[:] = np.random.default_rng(1).random(network.inputs.shape, np.float32)
    x = torch.from_numpy(image.astype(np.float32) / 255)

    def ours(samples: int) -> None:
        procedure = FixedCertify(SIGMA, n0=100, n=samples - 100)
        list(Scheduler(backend, procedure).run([LabelledImage(0, 0, image)]))

    def runtime(samples: int) -> None:
        for _ in range(-(-samples // batch)):
            network.run()

    def original(samples: int) -> None:
        original_loop(module, x, samples, ORIGINAL_BATCH)

    def original_same_batch(samples: int) -> None:
        original_loop(module, x, samples, batch)

    loops = {
        "ours": ours,
        "runtime": runtime,
        "original": original,
        "original_same_batch": original_same_batch,
    }
    sizes = {}
    for name, loop in loops.items():
        own_batch = ORIGINAL_BATCH if name == "original" else batch
        loop(own_batch + 200)  # warm up
        size = rate(loop, max(own_batch, 4 * batch + 200)) * BLOCK_SECONDS
        sizes[name] = own_batch * max(1, round(size / own_batch)) + (100 if name == "ours" else 0)
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(BLOCKS):
        for name, loop in loops.items():
            time.sleep(0.3)  # OpenMP threads of the loop before spin for a while
            rates[name].append(rate(loop, sizes[name]))
    result: dict[str, object] = {
        "arch": arch,
        "batch": batch,
        "threads": usable_cores(),
        "processor": processor_name(),
        "torch": torch.__version__,
        **{f"{name}_per_second": statistics.median(values) for name, values in rates.items()},
    }
    for other in ("runtime", "original", "original_same_batch"):
        ratios = [a / b for a, b in zip(rates["ours"], rates[other], strict=True)]
        result[f"ours_over_{other}"] = statistics.median(ratios)
        result[f"ours_over_{other}_range"] = [min(ratios), max(ratios)]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", default="cifar_resnet110")
    parser.add_argument("--input-shape", default="3,32,32")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    options = parser.parse_args()
    torch.set_num_threads(usable_cores())
    channels, height, width = map(int, options.input_shape.split(","))
    spec = InputSpec(channels, height, width)
    result = measure(options.arch, spec, options.classes, options.batch)
    if options.json:
        print(json.dumps(result))
        return
    print(
        f"{result['arch']}, batch {result['batch']}, {result['threads']} threads, "
        f"{result['processor']}"
    )
    for name in ("ours", "runtime", "original", "original_same_batch"):
        print(f"{name:19} {result[f'{name}_per_second']:10,.0f} samples/s")
    for other in ("runtime", "original", "original_same_batch"):
        extent = result[f"ours_over_{other}_range"]
        assert isinstance(extent, list)
        ratio = result[f"ours_over_{other}"]
        print(f"ours / {other}: {ratio:.3f} ({extent[0]:.3f} .. {extent[1]:.3f})")


if __name__ == "__main__":
    main()
