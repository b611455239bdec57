"""Logs, manifests and an int8 export, compared with files that an earlier version wrote.

What a version writes, the next one must write too: scripts read these files, and a run that was
begun with one is resumed with the other. Only time, machine and versions may differ. The network
is int8, which counts in integers: its votes are the same on every processor. After an intended
change, `python tests/test_golden.py` writes the files anew.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from smoothcert.cli.main import main
from smoothcert.engine.backends.host import runtimes
from smoothcert.engine.base.files import file_digest

GOLDEN = Path(__file__).parent / "golden"
DATA = Path(__file__).parents[1] / "data"
IMAGES = DATA / "fashion_mnist_500.npz"
ONNXRUNTIME = runtimes.HOST_RUNTIMES["onnxruntime"]
EXPORT = ["--precision", "int8", "--calibrate", IMAGES, "--sigma", 0.25, "--images", 8]
SELECTION = ["--sigma", 0.5, "--seed", 0, "--skip", 40, "--max", 12, "--batch", 64, "--backend",
             "onnxruntime"]  # fmt: skip
RUNS: dict[str, list[object]] = {
    "fixed": ["certify", "--n", 1000, "--family-wise", 12],
    "table": ["certify", "--n", 2000, "--radii", "0,0.25,0.75", "--label-aware"],
    "radius": ["certify", "--n", 4000, "--tolerance", 0.1, "--seed", 7],
    "transferred": ["certify", "--n", 1000, "--n0", 50, "--n-zeta", 1500, "--transfer-to",
                    "reference.onnx"],
    "predicted": ["predict", "--n", 500],
}  # fmt: skip


@pytest.mark.usefixtures("all_cores")
@pytest.mark.parametrize("name", RUNS)
def test_logs_and_manifests(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_log(name)
    assert without_time(tmp_path / f"{name}.tsv") == without_time(GOLDEN / f"{name}.tsv")
    written = manifest(tmp_path / f"{name}.tsv.json")
    expected = manifest(GOLDEN / f"{name}.tsv.json")
    if "transfer_to" in expected["run"]:  # its bytes are this onnx's
        expected["run"]["transfer_to"]["sha256"] = file_digest(Path("reference.onnx"))
    assert json.dumps(written, indent=1) == json.dumps(expected, indent=1)


def test_int8_export(tmp_path: Path) -> None:
    """In everything but what this processor's float32 and these versions decide."""
    out = tmp_path / "int8.onnx"
    write_export(out)
    written, expected = onnx.load(str(out)), onnx.load(str(GOLDEN / "int8.onnx"))
    of_both = zip(floats_taken_out(written), floats_taken_out(expected), strict=True)
    for ours, theirs in of_both:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert metadata(written) == metadata(expected)
    assert written.graph == expected.graph
    assert written.opset_import == expected.opset_import


def write_export(out: Path) -> None:
    """The demo's model in int8."""
    run("export", DATA / "fashion_mnist_sigma25.pth", "-o", out, "--force", *EXPORT)


def write_log(name: str) -> None:
    """A golden run's log and manifest, into this folder."""
    command, *options = RUNS[name]
    Path("int8.onnx").write_bytes((GOLDEN / "int8.onnx").read_bytes())
    write_reference(Path("reference.onnx"))
    with pytest.MonkeyPatch.context() as patch:
        # A reference takes the fastest runtime; only this one counts in exact integers.
        patch.setattr(runtimes, "HOST_RUNTIMES", {"onnxruntime": ONNXRUNTIME})
        run(command, "int8.onnx", IMAGES, f"{name}.tsv", *SELECTION, *options)


def write_reference(out: Path) -> None:
    """The golden network with one class's bias raised: a few of its votes differ."""
    model = onnx.load(str(GOLDEN / "int8.onnx"))
    for tensor in model.graph.initializer:
        if tensor.name == "14.bias_quantized":
            bias = numpy_helper.to_array(tensor).copy()
            bias[0] += 2000
            tensor.CopyFrom(numpy_helper.from_array(bias, tensor.name))
    onnx.save(model, str(out))


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    assert done.value.code == 0


def without_time(log: Path) -> list[list[str]]:
    rows = [line.split("\t") for line in log.read_text(encoding="utf-8").split("\n")]
    time = rows[0].index("time")
    return [row[:time] + row[time + 1 :] for row in rows]


def manifest(path: Path) -> dict[str, Any]:
    """A manifest, its machine and versions taken out; the order of its keys counts."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for session in found["sessions"]:
        for key in ("python", "system", "processor", "cores", "packages"):
            session[key] = type(session[key]).__name__
        session.pop("commit", None)
        session["backend"]["runtime"] = session["backend"]["runtime"].partition(" ")[0]
        session["backend"]["threads"] = type(session["backend"]["threads"]).__name__
        for backend in filter(None, (session["backend"], session["backend"].get("reference"))):
            for key in ("equality", "largest_change", "batches", "rows"):  # the probe's
                backend["row_independence"][key] = None
    return found


def floats_taken_out(model: onnx.ModelProto) -> list[Any]:
    """The float tensors of a graph (its scales), which then holds integers alone."""
    floats = []
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            floats.append(numpy_helper.to_array(tensor).copy())
            tensor.CopyFrom(numpy_helper.from_array(np.zeros(0, np.float32), tensor.name))
    return floats


def metadata(model: onnx.ModelProto) -> dict[str, Any]:
    (entry,) = model.metadata_props
    found: dict[str, Any] = json.loads(entry.value)
    found["versions"] = sorted(found["versions"])
    return found


if __name__ == "__main__":
    import os

    write_export(GOLDEN / "int8.onnx")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for each in RUNS:
            write_log(each)
            for written in (f"{each}.tsv", f"{each}.tsv.json"):
                (GOLDEN / written).write_bytes(Path(written).read_bytes())
