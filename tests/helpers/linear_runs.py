"""A linear network of four classes and random images for it: runs of milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import smoothcert
from smoothcert.engine.run.certification import RunSummary
from smoothcert.run import Run

SHAPE = (1, 6, 5)
TABLE: dict[str, Any] = {
    "sigma": 0.5,
    "radii": (0.0, 0.25, 0.5),
    "n": 20_000,
    "seed": 3,
    "batch": 256,
}


def linear_network(linear_model: Callable[..., Path]) -> Path:
    """An ONNX file; `linear_model` is the fixture."""
    rng = np.random.default_rng(0)
    return linear_model(rng.normal(size=(4, 30)), rng.normal(size=4), SHAPE)


def linear_images(folder: Path, number: int) -> Path:
    """A labelled .npz of so many images."""
    pixels = np.random.default_rng(1).integers(0, 256, (number, *SHAPE[1:])).astype(np.uint8)
    path = folder / "images.npz"
    np.savez(path, images=pixels, labels=np.arange(number) % 4)
    return path


def certify_table(model: Path, source: Path, log: Path, **more: Any) -> RunSummary:
    """A run of TABLE, or of other options."""
    run = smoothcert.certify(model, source, out=log, **{**TABLE, **more})
    assert isinstance(run, Run)
    return run.summary


def rows_of(log: Path) -> dict[int, dict[str, str]]:
    """A log's rows by image, each by column."""
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    return {int(row["idx"]): row for row in rows}


def without(row: dict[str, str], *names: str) -> dict[str, str]:
    """A row without its time, and without these columns."""
    return {name: value for name, value in row.items() if name not in ("time", *names)}
