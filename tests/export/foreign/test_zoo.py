"""The classifiers of the ONNX model zoo as the onnx package carries them: without their weights,
with the graphs, opsets, IR versions and fixed batches of their time."""

from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
import pytest

from smoothcert import certify
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.onnx_graph import inspect_graph
from smoothcert.engine.models.row_independence.walk import analyse
from smoothcert.engine.models.unloadable import parsed
from smoothcert.export.foreign.batch_walk import rewritten
from smoothcert.export.foreign.canonical import canonical
from smoothcert.export.foreign.options import NOTHING_SAID
from smoothcert.export.foreign.reading import read_foreign
from smoothcert.export.opening import open_model

_FOLDER = Path(onnx.backend.test.__file__).parent / "data" / "light"
NAMES = (
    "bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet",
    "squeezenet", "vgg19", "zfnet512",
)  # fmt: skip
QUICK = ("shufflenet", "squeezenet")


@pytest.fixture
def zoo() -> Path:
    if not _FOLDER.is_dir():
        pytest.skip("this version of onnx carries no models of the zoo")
    return _FOLDER


@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_read_and_its_batch_opened(zoo: Path, name: str) -> None:
    """As far as that needs no run: what it takes and returns, and that its rows are independent."""
    path = zoo / f"light_{name}.onnx"
    reading = read_foreign(path, inspect_graph(path), NOTHING_SAID)
    assert reading.taken.spec == InputSpec(3, 224, 224, resize=256)
    assert (reading.taken.batch, reading.returned.classes) == (1, 1000)
    model = canonical(parsed(path, weights=True), reading.taken, reading.returned)
    opened = rewritten(model, model.graph.output[0].name, "N")
    assert analyse(opened, reading.taken.spec.shape).verdict == "proven"
    onnx.checker.check_model(opened)


@pytest.mark.parametrize("name", QUICK)
def test_networks_certify(zoo: Path, tmp_path: Path, name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.zeros(1, np.int64))
    path = zoo / f"light_{name}.onnx"
    assert open_model(path).batch == "N"
    log = tmp_path / "log.tsv"
    report = certify(
        path, tmp_path / "images.npz", out=log, sigma=0.25, n0=2, n=4, alpha=0.5, batch=2,
        backend="onnxruntime",
    ).summary  # fmt: skip
    assert len(log.read_text().splitlines()) == 2, report
