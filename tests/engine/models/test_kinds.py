"""What files are, whatever they are called."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from smoothcert.engine.models.kinds import Kind, kind_of, refusal_of

IR = b'<?xml version="1.0"?>\n<!-- a network -->\n<net name="x" version="11"><layers/></net>'


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return buffer.getvalue()


def safetensors(header: object, data: bytes = b"\x00" * 4) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def message(*fields: tuple[int, bytes | int]) -> bytes:
    """A protocol buffer of short fields with small numbers."""
    parts = []
    for number, value in fields:
        tag = number << 3 | (0 if isinstance(value, int) else 2)
        head = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
        body = bytes([value]) if isinstance(value, int) else bytes([len(value)]) + value
        parts.append(head + body)
    return b"".join(parts)


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"))
    return buffer.getvalue()


TENSOR = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
CONTENTS = {
    "empty": (b"", Kind.EMPTY),
    "plan": (b"ptrt" + bytes(20), Kind.PLAN),
    "plan-rtx": (b"vtrt" + bytes(20), Kind.PLAN),
    "safetensors": (safetensors(TENSOR), Kind.SAFETENSORS),
    "safetensors-metadata": (
        safetensors({"__metadata__": {"format": "pt"}, **TENSOR}), Kind.SAFETENSORS
    ),
    "no-safetensors": (safetensors({"w": 1}), Kind.UNKNOWN),
    "no-safetensors-json": (b"\x07" + bytes(7) + b"{'w': 1", Kind.UNKNOWN),
    "ir": (IR, Kind.OPENVINO),
    "ir-bare": (b'<net name="x" version="10">', Kind.OPENVINO),
    "ir-bom": (b"\xef\xbb\xbf" + IR, Kind.OPENVINO),
    "xml": (b'<?xml version="1.0"?><network/>', Kind.XML),
    "error-page": (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", Kind.XML),
    "html": (b"\n<!DOCTYPE html><html>", Kind.HTML),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", Kind.LFS_POINTER),
    "annex": (b"/annex/objects/MD5E-s1--2.onnx\n", Kind.LFS_POINTER),
    "index": (b'{"metadata": {}, "weight_map": {}}', Kind.WEIGHTS_INDEX),
    "json": (b'{"architectures": ["ViT"]}', Kind.JSON),
    "text": ("idx\tlabel\nä".encode(), Kind.TEXT),
    "onnx-text": (b'<\n ir_version: 8,\n opset_import: ["" : 18]\n>', Kind.ONNX_TEXT),
    "onnx-prototxt": (b"ir_version: 8\ngraph {\n", Kind.ONNX_TEXT),
    "onnx-json": (b'{\n "irVersion": "8",', Kind.ONNX_TEXT),
    "checkpoint": (zipped("net/data.pkl", "net/data/0", "net/version"), Kind.CHECKPOINT),
    "torchscript": (
        zipped("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl"), Kind.TORCHSCRIPT
    ),
    "torchscript-mobile": (zipped("net/data.pkl", "net/bytecode.pkl"), Kind.TORCHSCRIPT),
    "torch-export": (zipped("net/archive_format", "net/models/model.json"), Kind.TORCH_EXPORT),
    "torch-export-old": (zipped("serialized_exported_program.json"), Kind.TORCH_EXPORT),
    "keras": (zipped("metadata.json", "config.json", "model.weights.h5"), Kind.KERAS),
    "saved-model-zip": (zipped("m/saved_model.pb", "m/variables/x"), Kind.SAVED_MODEL),
    "zip": (zipped("model.onnx"), Kind.ZIP),
    "zip-cut": (zipped("net/data.pkl")[:60], Kind.ZIP_CUT),
    "npz": (saved(lambda f: np.savez(f, images=np.zeros(1))), Kind.ARRAYS),
    "npy": (saved(lambda f: np.save(f, np.zeros(1))), Kind.ARRAYS),
    "png": (saved(lambda f: Image.new("L", (1, 1)).save(f, "png")), Kind.IMAGE),
    "jpeg": (saved(lambda f: Image.new("L", (1, 1)).save(f, "jpeg")), Kind.IMAGE),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(50), Kind.HDF5),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(50), Kind.TFLITE),
    "ort": (b"\x1c\x00\x00\x00ORTM" + bytes(50), Kind.ORT),
    "gguf": (b"GGUF\x03" + bytes(50), Kind.GGUF),
    "parquet": (b"PAR1" + bytes(50), Kind.PARQUET),
    "gzip": (gzip.compress(b"x"), Kind.COMPRESSED),
    "bzip2": (bz2.compress(b"x"), Kind.COMPRESSED),
    "xz": (lzma.compress(b"x"), Kind.COMPRESSED),
    "tar": (tar(), Kind.TAR),
    "elf": (b"\x7fELF" + bytes(50), Kind.LIBRARY),
    "pickle": (pickle.dumps({"w": np.zeros(2)}), Kind.PICKLE),
    "pickle-2": (pickle.dumps([1.5], 2), Kind.PICKLE),
    "pickle-0": (pickle.dumps(np.float64(1), 0), Kind.PICKLE),
    "legacy": (
        pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2), Kind.LEGACY_CHECKPOINT
    ),
    "saved-model": (message((1, 1), (2, b"meta graph")), Kind.SAVED_MODEL),
    "tensorflow": (
        message((1, b"\x0a\x01x\x12\x0bPlaceholder"), (4, b"\x08\x01")), Kind.TENSORFLOW_GRAPH
    ),
    "caffe": (message((1, b"net"), (100, b"layer"), (100, b"layer")), Kind.CAFFE),
    "coreml": (message((1, 4), (2, b"description"), (500, b"network")), Kind.COREML),
    "random": (np.random.default_rng(0).bytes(300), Kind.UNKNOWN),
    "zeros": (bytes(300), Kind.UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_is_what_its_bytes_say(tmp_path: Path, name: str) -> None:
    content, expected = CONTENTS[name]
    for suffix in (".onnx", ".pth", ".bin", ""):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(content)
        assert kind_of(path) is expected


def test_onnx_by_any_name(tmp_path: Path, model: Path) -> None:
    for name in ("model.bin", "model.pth", "model.xml", "model.plan", "model"):
        path = tmp_path / name
        path.write_bytes(model.read_bytes())
        assert kind_of(path) is Kind.ONNX


def test_onnx_that_ends_too_early(tmp_path: Path, model: Path) -> None:
    content = model.read_bytes()
    path = tmp_path / "half.onnx"
    for size in (len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert kind_of(path) is Kind.ONNX_CUT
    assert "download it again" in str(refusal_of(path, Kind.ONNX_CUT))


def test_a_model_of_a_newer_onnx_is_onnx(tmp_path: Path, model: Path) -> None:
    """Fields that this version does not know, and metadata of any kind."""
    newest = onnx.load(str(model))
    newest.ir_version = 99
    newest.producer_name = "somebody"
    helper.set_model_props(newest, {"key": "value"})
    path = tmp_path / "newer.onnx"
    path.write_bytes(newest.SerializeToString() + message((30, b"new"), (31, 1)))
    assert kind_of(path) is Kind.ONNX


def test_a_tensor_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "input_0.pb"
    path.write_bytes(onnx.numpy_helper.from_array(np.arange(9)).SerializeToString())
    assert kind_of(path) is Kind.UNKNOWN


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torch_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(2, 2)
    path = tmp_path / "net.onnx"
    torch.save(network.state_dict(), path)
    assert kind_of(path) is Kind.CHECKPOINT
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    assert kind_of(path) is Kind.LEGACY_CHECKPOINT
    torch.jit.trace(network, torch.zeros(1, 2)).save(str(path))
    assert kind_of(path) is Kind.TORCHSCRIPT
    program = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(network, (torch.zeros(1, 2),)), program)
    assert kind_of(program) is Kind.TORCH_EXPORT


def test_safetensors_of_its_own_writer(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "weights"
    numpy.save_file({"w": np.zeros((2, 3), np.float32)}, str(path))
    assert kind_of(path) is Kind.SAFETENSORS


def test_a_name_decides_where_bytes_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "net.plan").write_bytes(b"anything")
    assert kind_of(tmp_path / "net.plan") is Kind.PLAN
    weights = tmp_path / "net.bin"
    weights.write_bytes(np.zeros(9, np.float32).tobytes())
    assert kind_of(weights) is Kind.UNKNOWN
    (tmp_path / "net.xml").write_bytes(IR)
    assert kind_of(weights) is Kind.OPENVINO_WEIGHTS
    assert "give net.xml" in str(refusal_of(weights, Kind.OPENVINO_WEIGHTS))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["openvino_model.xml", "config.json"], Kind.OPENVINO_FOLDER),
        (["net.xml", "net.bin"], Kind.OPENVINO_FOLDER),
        (["one.xml", "two.xml"], Kind.FOLDER),
        (["one.xml", "openvino_model.xml"], Kind.OPENVINO_FOLDER),
        (["saved_model.pb"], Kind.SAVED_MODEL),
        (["config.json", "model.safetensors"], Kind.TRANSFORMERS_FOLDER),
        ([], Kind.FOLDER),
    ],
)
def test_folders(tmp_path: Path, names: list[str], expected: Kind) -> None:
    for name in names:
        (tmp_path / name).write_bytes(IR if name.endswith(".xml") else b"{}")
    assert kind_of(tmp_path) is expected


@pytest.mark.parametrize("kind", [kind for kind in Kind if not kind.ours])
def test_a_refusal_is_one_line_that_says_what_it_is_and_what_to_do(kind: Kind) -> None:
    text = str(refusal_of(Path("models/{net}.x"), kind, "checkpoint"))
    assert text.startswith(f"checkpoint models/{{net}}.x is {kind.value}: ")
    assert "\n" not in text
    assert len(text) < 300


def test_what_is_ours() -> None:
    assert [kind.name for kind in Kind if kind.ours] == [
        "ONNX", "CHECKPOINT", "LEGACY_CHECKPOINT", "SAFETENSORS", "OPENVINO", "OPENVINO_FOLDER",
        "PLAN",
    ]  # fmt: skip
    assert [kind.name for kind in Kind if kind.checkpoint] == [
        "CHECKPOINT", "LEGACY_CHECKPOINT", "SAFETENSORS",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.TORCHSCRIPT, "a program, which is not run; save its state_dict()"),
        (Kind.TFLITE, "tf2onnx.convert --tflite net.x --output net.onnx"),
        (Kind.HDF5, "tf2onnx.convert --keras net.x --output net.onnx"),
        (Kind.LFS_POINTER, "git lfs pull"),
        (Kind.PICKLE, "skl2onnx"),
    ],
)
def test_what_to_type_next(kind: Kind, words: str) -> None:
    assert words in str(refusal_of(Path("net.x"), kind))
