"""`smoothcert bench` on a list of networks, one JSON object each, for the tables of results.

python benchmarks/throughput.py OUT.json [--only NAME,...] [--runs BACKEND:PRECISION,...]
                                [--rounds 15] [--seconds 0.5] [--budget 600]

Networks have random weights; int8 models are calibrated on random images. An entry of the file
that is measured again is replaced. The original loop has its batch of 1,000, however long that
takes; rounds end early where the quartiles of all figures are narrow, or with the budget.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.bench.comparison import BenchSettings, compare
from smoothcert.engine.models.model import Model
from smoothcert.export.precision.reduce import Precision
from smoothcert.export.random_model import random_module, write_random_model

ARCHITECTURES = ("small_cnn", "cifar_resnet20", "cifar_resnet110", "resnet50")
RUNS = (
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)


def key(entry: dict[str, Any]) -> tuple[Any, ...]:
    """What makes an entry of the results one of its kind."""
    return entry["arch"], entry["backend"], entry["precision"]


def record(path: Path, result: dict[str, Any]) -> None:
    """Put a result into the file, in place of the one of its kind."""
    entries = json.loads(path.read_text()) if path.exists() else []
    entries = [entry for entry in entries if key(entry) != key(result)] + [result]
    path.write_text(json.dumps(entries, indent=1) + "\n")


def describe(result: dict[str, Any]) -> str:
    """One line of progress."""

    def figure(name: str) -> str:
        return "-" if result[name] is None else f"{result[name]:.3f}"

    return (
        f"{result['arch']} {result['backend']} {result['precision']} batch {result['batch']}: "
        f"{result['samples_per_second']:,.1f}/s, {figure('fraction_of_runtime')} of the runtime, "
        f"{figure('speedup_over_reference')}x the original, "
        f"{figure('speedup_over_compiled')}x torch.compile"
        + "".join(f"; no {name}: {reason}" for name, reason in result["not_measured"].items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default=",".join(ARCHITECTURES))
    parser.add_argument("--runs", default=",".join(map(":".join, RUNS)), help="backend:precision")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--budget", type=float, default=600.0, help="seconds of a run, about")
    parser.add_argument("--batch", type=int, help="of every network [default: measured]")
    parser.add_argument("--reference-batch", type=int, default=1000)
    options = parser.parse_args()
    for arch in options.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            models: dict[str, Model] = {}
            for run in options.runs.split(","):
                backend, _, precision = run.partition(":")
                form: Precision = "int8" if precision == "int8" else "fp32"
                try:
                    if form not in models:
                        path = Path(folder) / f"{arch}_{form}.onnx"
                        models[form] = write_random_model(arch, path, precision=form)
                    settings = BenchSettings(
                        compute=Compute(backend=backend, precision=precision, batch=options.batch),
                        reference_batch=options.reference_batch,
                        rounds=options.rounds,
                        seconds=options.seconds,
                        budget=options.budget,
                    )
                    model = models[form]
                    module = random_module(arch, model.num_classes, model.spec.shape)
                    result = compare(model, module, settings)
                except InputError as error:
                    print(f"{arch} {backend} {precision}: left out, {error}", flush=True)
                    continue
                record(options.out, {**result, "arch": arch})
                print(describe(result), flush=True)


if __name__ == "__main__":
    main()
