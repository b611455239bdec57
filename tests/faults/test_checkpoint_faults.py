"""Checkpoints and folders that want code to run, or say of themselves what cannot be: one line."""

import io
import json
import math
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hostile_files import mutated, read_or_refused
from hostile_models import (
    ARCHITECTURES,
    MODULE,
    checkpoint,
    classifier,
    folder_of_vit,
    source,
    state,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pickles import call, legacy, text

from smoothcert.cli.main import main
from smoothcert.export.checkpoint import read_checkpoint

torch = pytest.importorskip("torch")

_RUN = ("--sigma", "0.25", "--n0", "10", "--n", "100", "--backend", "onnxruntime")
_LONGEST = 12_000
_A_FEW = ("os:abort", "http.server:test", "evilmod:f", "..x:y")


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return state()


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once the module `evilmod`, on the path and in the folder, is run."""
    found = tmp_path / "marker"
    (tmp_path / "evilmod.py").write_text(MODULE.format(marker=str(found)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return found


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that is to be refused; nothing else is said, by anyone."""
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    said = capfd.readouterr()
    assert end.value.code == 2, said.err
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err[:-1].isprintable(), said.err
    assert len(said.err) < _LONGEST
    return said.err


def completed(*arguments: object) -> int:
    """The code that a command ends with."""
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return int(end.value.code or 0)


@pytest.mark.parametrize("arch", ARCHITECTURES, ids=range(len(ARCHITECTURES)))
def test_p1_a_checkpoint_chooses_no_code(
    arch: str, weights: dict[str, Any], marker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = checkpoint(marker.with_name("a.pth"), weights, arch=arch)
    images, log = source(marker.with_name("x.npz")), marker.with_name("o.tsv")
    before = set(sys.modules)
    refused(capfd, "certify", path, images, log, *_RUN)
    refused(capfd, "export", path, "-o", marker.with_name("y.onnx"))
    if arch in _A_FEW:
        completed("doctor", path)
        assert capfd.readouterr().err == ""
    assert not marker.exists()
    assert not {"evilmod", "this", "antigravity"} & (set(sys.modules) - before)
    left = {file.name for file in marker.parent.iterdir()} - {"__pycache__"}
    assert left == {"a.pth", "x.npz", "evilmod.py"}


@pytest.mark.parametrize("arch", _A_FEW)
def test_p1_a_model_and_a_manifest_name_an_architecture_and_run_none(
    arch: str, marker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    metadata = {"input_shape": [3, 8, 8], "mean": [], "std": [], "resize": None,
                "interpolation": "bilinear", "arch": arch}  # fmt: skip
    model, log = marker.with_name("m.onnx"), marker.with_name("o.tsv")
    model.write_bytes(classifier(json.dumps(metadata)))
    images = source(marker.with_name("x.npz"))
    assert completed("certify", model, images, log, *_RUN, "--batch", "8") == 0
    manifest = json.loads(log.with_name("o.tsv.json").read_text())
    assert manifest["run"]["model"]["arch"] == arch
    assert completed("audit", log, images, "--rows", "1") == 0
    assert completed("doctor", model) == 0
    assert completed("doctor", log) == 0
    assert not marker.exists()
    capfd.readouterr()


def test_p1_a_factory_of_the_command_line_is_taken(
    weights: dict[str, Any], marker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = checkpoint(marker.with_name("a.pth"), weights)
    line = refused(capfd, "export", path, "--arch", "evilmod:f", "-o", marker.with_name("y.onnx"))
    assert "evilmod:f" in line
    assert marker.read_text() == "called"


@pytest.mark.parametrize(
    "config",
    [
        {"auto_map": {"AutoModelForImageClassification": "evilmod.f"}},
        {"auto_map": {"AutoConfig": "evilmod.f"}, "trust_remote_code": True, "model_type": "evil"},
        {"trust_remote_code": True, "model_type": "evilmod"},
        {"architectures": ["evilmod.fForImageClassification"], "model_type": "../evilmod"},
        {"num_labels": 10**9, "id2label": None},
        {"num_hidden_layers": 10**9},
        {"hidden_size": 10**9},
        {"image_size": 10**8},
    ],
    ids=range(8),
)
def test_p1_a_folder_brings_no_code_and_no_sizes_without_end(
    config: dict[str, Any], marker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers")
    folder = folder_of_vit(marker.with_name("vit"), config)
    (folder / "evilmod.py").write_text(MODULE.format(marker=str(marker)))
    capfd.readouterr()
    refused(capfd, "export", f"hf:{folder}", "-o", marker.with_name("y.onnx"))
    assert not marker.exists()
    assert not marker.with_name("y.onnx").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"image_mean": [10**400] * 3}, {"image_std": [1e-300] * 3}, {"image_std": [math.nan] * 3},
        {"rescale_factor": 10**400}, {"rescale_factor": 5e-324},
        {"size": {"shortest_edge": 10**9}, "do_resize": True},
        {"image_processor_type": "ConvNextImageProcessor", "do_resize": True, "crop_pct": 5e-324,
         "size": {"shortest_edge": 8}},
        {"size": {"height": 10**9, "width": 10**9}, "do_resize": True},
    ],
    ids=range(8),
)  # fmt: skip
def test_p3_a_folder_prepares_images_within_ranges(
    changed: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers")
    sizes = {"image_size": "x"} if "size" not in changed else {}
    folder = folder_of_vit(tmp_path / "vit", sizes, changed)
    capfd.readouterr()
    refused(capfd, "export", f"hf:{folder}", "-o", tmp_path / "y.onnx")


def test_p3_a_folder_brings_no_pickle_that_fills_memory(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers")
    folder = folder_of_vit(tmp_path / "vit")
    (folder / "model.safetensors").unlink()
    bomb = call("builtins", "bytearray", b"\x8a\x06" + (15 * 10**9).to_bytes(6, "little"))
    legacy(folder / "pytorch_model.bin", b"\x80\x02}" + text("x") + bomb + b"s.")
    capfd.readouterr()
    line = refused(capfd, "export", f"hf:{folder}", "-o", tmp_path / "y.onnx")
    assert "builtins.bytearray" in line


@pytest.mark.filterwarnings("ignore")
def test_p2_a_torchscript_archive_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    traced = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    traced.save(str(tmp_path / "a.pth"))
    assert "TorchScript" in refused(capfd, "export", tmp_path / "a.pth", "-o", tmp_path / "y.onnx")


FACTS = (
    *(("num_classes", v) for v in (10**9, -1, 1, 10**400, 10**6 + 1)),
    *(("input_shape", v) for v in (
        "abc", [3, "x", 8], 7, [3, math.nan, 8], [3, 1e6, 1e6], [3, -8, 8], [3, 10**400, 8],
        [3, 8], [0, 8, 8], [3, 65535, 65535], [3, 8.5, 8])),
    *(("mean", v) for v in (
        ["a"], 7, [10**400] * 3, [math.nan] * 3, [1e300] * 3, [0.1], "abc", [True] * 3)),
    *(("std", v) for v in ([1e-300] * 3, [0.0] * 3, [-1.0] * 3, [5e-324] * 3, [math.inf] * 3)),
    *(("resize", v) for v in ("x", 10**12, -1, math.nan, 7, 10**400)),
    *(("dataset", v) for v in (["a"], "\x1b[31m", "x" * 5000, "\ud800", 7)),
    *(("interpolation", v) for v in ("nearest", 7, ["bilinear"])),
)  # fmt: skip


@pytest.mark.parametrize(("key", "value"), FACTS, ids=range(len(FACTS)))
def test_p3_facts_have_the_ranges_of_options(
    key: str, value: Any, weights: dict[str, Any], tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = checkpoint(tmp_path / "a.pth", weights, **{key: value})
    refused(capfd, "export", path, "-o", tmp_path / "y.onnx")
    assert not (tmp_path / "y.onnx").exists()


def _states(own: dict[str, Any]) -> dict[str, dict[str, Any]]:
    first, bias, matrix = next(iter(own)), list(own)[-1], list(own)[-2]
    return {
        "sparse": {**own, bias: own[bias].to_sparse()},
        "compressed": {**own, matrix: own[matrix].to_sparse_csr()},
        "meta": {name: value.to("meta") for name, value in own.items()},
        "complex": {**own, first: own[first].to(torch.complex64)},
        "quantised": {**own, first: torch.quantize_per_tensor(own[first], 0.1, 0, torch.qint8)},
        "not finite": {**own, first: own[first] * math.nan},
        "too large": {**own, first: torch.full_like(own[first], 1e300, dtype=torch.float64)},
        "whole numbers": {**own, first: own[first].to(torch.int64)},
        "many levels": {"1.module." * 2000 + name: value for name, value in own.items()},
        "levels of one": {**own, "a." * 10**5 + "x": torch.zeros(3)},
        "a name of escapes": {**own, "\x1b[31m": torch.zeros(3)},
        "half a character": {**own, "\ud800": torch.zeros(3)},
        "repeated": {**own, bias: torch.zeros(1).expand(10**9),
                     matrix: torch.zeros(1, 1).expand(10**9, own[matrix].shape[1])},
        "nothing": {},
        "no classes": {**own, bias: torch.zeros(0)},
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["sparse", "compressed", "meta", "complex", "quantised", "not finite", "too large",
     "whole numbers", "many levels", "levels of one", "a name of escapes", "half a character",
     "repeated", "nothing", "no classes"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_p3_states_are_plain_tensors(
    kind: str, weights: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = checkpoint(tmp_path / "a.pth", _states(weights)[kind], num_classes=0)
    capfd.readouterr()
    refused(capfd, "export", path, "-o", tmp_path / "y.onnx")
    completed("doctor", path)
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.replace("\n", "").isprintable()


@pytest.fixture(scope="module")
def safetensors_bytes() -> bytes:
    return bytes(pytest.importorskip("safetensors.torch").save({"w": torch.zeros(2, 2)}))


def test_p3_a_safetensors_header_of_many_levels(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    header = b'{"a":' * 100_000
    file = tmp_path / "a.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    refused(capfd, "export", file, "--arch", "small_cnn", "-o", tmp_path / "y.onnx")


_FUZZ = settings(max_examples=60, deadline=None, derandomize=True, database=None,
                 suppress_health_check=list(HealthCheck))  # fmt: skip


@_FUZZ
@given(data=st.data())
def test_p3_mutated_safetensors(
    data: st.DataObject, safetensors_bytes: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    read_or_refused(path, data.draw(mutated(safetensors_bytes)), read_checkpoint)


def _zip_of_torch(legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    content = {"state_dict": {"w": torch.zeros(2, 2)}, "arch": "small_cnn", "mean": [0.5]}
    torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


@_FUZZ
@given(data=st.data())
@pytest.mark.parametrize("legacy", [False, True])
def test_p3_mutated_pth(
    legacy: bool, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.pth"
    read_or_refused(path, data.draw(mutated(_zip_of_torch(legacy))), read_checkpoint)


@_FUZZ
@given(data=st.data())
def test_p3_mutated_pickles_in_whole_archives(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed pickle.pth"
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_zip_of_torch())) as old, zipfile.ZipFile(stream, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = data.draw(mutated(content))
            new.writestr(entry.filename, content)
    read_or_refused(path, stream.getvalue(), read_checkpoint)
