"""Logs to make reports of, written by the ledger that writes real ones."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from selenium.webdriver.chrome.webdriver import WebDriver

from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.report.page import write_report
from smoothcert.analysis.table import accuracy_table
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.procedures import Decision

IMAGES = Path(__file__).parents[4] / "data" / "fashion_mnist_500.npz"

Page = Callable[..., WebDriver]
Rows = Sequence[tuple[int, int, float]]


def run(**changes: Any) -> dict[str, Any]:
    """What a manifest says of a run, with some of it changed."""
    return {
        "procedure": "certify", "n0": 100, "n": 1000, "alpha": 0.001, "sigma": 0.25, "seed": 7,
        "model": {"name": "model.onnx", "sha256": "ab" * 32, "arch": "small_cnn", "classes": 10,
                  "precision": "fp32"},
        "backend": "onnxruntime", "device": "cpu",
        "source": {"kind": "npz", "name": "images.npz", "images": 500},
        "selection": {"skip": 1, "max": -1, "shard": 0, "shards": 1},
        **changes,
    }  # fmt: skip


SESSION = {
    "python": "3.11.7", "system": "Linux x86_64", "processor": "A Processor", "cores": 2,
    "packages": {"smoothcert": "0.1.0", "numpy": "2.4.6"},
    "backend": {"runtime": "onnxruntime 1.32.0", "batch": 64}, "model_path": "/secret/model.onnx",
}  # fmt: skip


def write_log(
    path: Path,
    rows: Rows,
    *,
    manifest: dict[str, Any] | None = None,
    drawn: Sequence[int] | None = None,
    finish: bool = True,
    original: bool = False,
) -> Log:
    """A log of (label, predict, radius) per image; half a second each. `original`: as the original
    code would have written it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Ledger(path, manifest or run(), SESSION) as ledger:
        for index, (label, predict, radius) in enumerate(rows):
            samples = 1100 + index if drawn is None else drawn[index]
            count = 0 if predict < 0 else 900 + index % 100
            decision = Decision(predict, radius, count, 1000, 100, samples)
            ledger.append(Certificate(index, label, decision, 0.5, f"{index:016x}"))
        if finish:
            ledger.finish({"images": len(rows)})
    if original:
        path.with_name(path.name + ".json").unlink()
        lines = path.read_text().splitlines()
        path.write_text("".join("\t".join(line.split("\t")[:6]) + "\n" for line in lines))
    return read_log(path)


def real_labels(images: int, seed: int = 0, largest: float = 0.9) -> list[tuple[int, int, float]]:
    """Rows for the first images of IMAGES: some wrong, some abstained, radii of six decimals."""
    rng = np.random.default_rng(seed)
    labels = np.load(IMAGES)["labels"][:images]
    rows = []
    for label in labels.tolist():
        kind = rng.random()
        predict = -1 if kind < 0.1 else (label + 1) % 10 if kind < 0.25 else label
        rows.append((label, predict, 0.0 if predict < 0 else round(largest * rng.random(), 6)))
    return rows


def write_page(path: Path, logs: Sequence[Log], **options: Any) -> Path:
    """The report of the logs at fixed radii."""
    radii = logs[0].table_radii or (0.0, 0.25, 0.5)
    write_report(path, logs, accuracy_table(logs, radii, options.get("alpha")), **options)
    return path
