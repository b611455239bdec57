"""A short run of `certify` or `predict`, and its rows without their times."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from strangers.command import Done, smoothcert

FEW = ("--n", 200, "--max", 3, "--sigma", 0.25, "--seed", 7, "--backend", "onnxruntime")


def certify(model: Path, source: Path, log: Path, *options: object) -> Done:
    """`certify` of three images with 200 samples each."""
    return smoothcert("certify", model, source, log, *FEW, *options)


def rows(log: Path) -> list[list[str]]:
    """The rows of a log, all fields but the time."""
    header, *lines = (line.split("\t") for line in log.read_text().splitlines())
    return [
        [field for name, field in zip(header, line, strict=True) if name not in ("time", "pixels")]
        for line in lines
    ]


def run_of(log: Path) -> Any:
    """`run` of the manifest beside a log."""
    return json.loads(log.with_name(log.name + ".json").read_text())["run"]


def same_rows(one: Path, other: Path) -> None:
    """Both logs have the same certificates, and they are of three images."""
    assert rows(one) == rows(other)
    assert len(rows(one)) == 3


def audited(log: Path, source: Path, *options: object) -> None:
    """The log passes `audit`, all of its rows certified again."""
    smoothcert("audit", log, source, "--rows", 3, *options).works("no findings")


def images(shape: tuple[int, int, int] = (8, 8, 3)) -> npt.NDArray[np.uint8]:
    """Six images."""
    return np.random.default_rng(0).integers(0, 256, (6, *shape), dtype=np.uint8)


def image_file(folder: Path) -> Path:
    """An .npz file of six images of five classes."""
    path = folder / "images.npz"
    np.savez(path, images=images(), labels=np.arange(6) % 5)
    return path
