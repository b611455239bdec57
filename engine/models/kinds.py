"""What a file is, told from its bytes: names lie, and what a file is decides what to type next."""

import json
import re
import zipfile
from enum import Enum
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.models.protobuf_kinds import framing


class Kind(Enum):
    """A kind of file, by the words that a line to the user has for it.

    The first seven are models of ours: something here opens them (`ours`).
    """

    ONNX = "an ONNX model"
    CHECKPOINT = "a torch checkpoint"
    LEGACY_CHECKPOINT = "a torch checkpoint from before torch 1.6"
    SAFETENSORS = "a safetensors file"
    OPENVINO = "OpenVINO IR"
    OPENVINO_FOLDER = "a folder with OpenVINO IR"
    PLAN = "a TensorRT plan"

    ONNX_CUT = "the beginning of an ONNX file"
    ONNX_TEXT = "an ONNX model written as text"
    ORT = "a model in ONNX Runtime's own format"
    OPENVINO_WEIGHTS = "the weights of OpenVINO IR"
    TORCHSCRIPT = "a TorchScript archive"
    TORCH_EXPORT = "a program of torch.export"
    EXECUTORCH = "an ExecuTorch program"
    KERAS = "a Keras model"
    HDF5 = "an HDF5 file, as Keras writes"
    TFLITE = "a TFLite model"
    SAVED_MODEL = "a TensorFlow SavedModel"
    TENSORFLOW_GRAPH = "a frozen TensorFlow graph"
    TENSORFLOW_CHECKPOINT = "a TensorFlow checkpoint"
    CAFFE = "a Caffe model"
    COREML = "a Core ML model"
    MXNET = "the weights of an MXNet model"
    GGUF = "a GGUF file of a language model"
    PICKLE = "a Python pickle"
    TAR = "a tar archive"
    COMPRESSED = "a compressed file"
    ZIP = "a zip archive"
    ZIP_CUT = "the beginning of a zip archive"
    ARRAYS = "numpy arrays"
    PARQUET = "a parquet file"
    IMAGE = "an image"
    LFS_POINTER = "a git-lfs pointer"
    HTML = "an HTML page"
    WEIGHTS_INDEX = "an index of weights in several files"
    JSON = "a JSON file"
    XML = "an XML file"
    LIBRARY = "a compiled library"
    TEXT = "a text file"
    EMPTY = "an empty file"
    TRANSFORMERS_FOLDER = "a folder of a Hugging Face model"
    FOLDER = "a folder"
    UNKNOWN = "a file of no kind that is known here"

    @property
    def ours(self) -> bool:
        """Whether something here opens it as a model."""
        return self in _OURS

    @property
    def checkpoint(self) -> bool:
        """Whether it holds weights alone, which an architecture has to be given for."""
        return self in (Kind.CHECKPOINT, Kind.LEGACY_CHECKPOINT, Kind.SAFETENSORS)


_OURS = frozenset(list(Kind)[:7])

IR_FILE = "openvino_model.xml"
"""What optimum-intel calls a network in the folder that it writes."""

_PLAN_SUFFIXES = (".plan", ".engine", ".trt")

_HEAD = 4096
_MOST_HEADER = 100_000_000  # of a safetensors file: what its own reader allows

_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"ptrt", Kind.PLAN),  # TensorRT
    (0, b"vtrt", Kind.PLAN),  # TensorRT for RTX
    (4, b"TFL3", Kind.TFLITE),
    (4, b"ORTM", Kind.ORT),
    (4, b"PTMF", Kind.TORCHSCRIPT),  # for mobiles
    (4, b"ET12", Kind.EXECUTORCH),
    (0, b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (512, b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (0, b"GGUF", Kind.GGUF),
    (0, b"\x12\x01\x00\x00\x00\x00\x00\x00", Kind.MXNET),
    (0, b"\x93NUMPY", Kind.ARRAYS),
    (0, b"PAR1", Kind.PARQUET),
    (0, b"\x7fELF", Kind.LIBRARY),
    (257, b"ustar", Kind.TAR),
    (0, b"\x1f\x8b", Kind.COMPRESSED),
    (0, b"BZh", Kind.COMPRESSED),
    (0, b"\xfd7zXZ\x00", Kind.COMPRESSED),
    (0, b"\x28\xb5\x2f\xfd", Kind.COMPRESSED),
    (0, b"\x04\x22\x4d\x18", Kind.COMPRESSED),
    (0, b"7z\xbc\xaf\x27\x1c", Kind.COMPRESSED),
    (0, b"Rar!\x1a\x07", Kind.COMPRESSED),
    (0, b"\x89PNG\r\n\x1a\n", Kind.IMAGE),
    (0, b"\xff\xd8\xff", Kind.IMAGE),
    (0, b"GIF8", Kind.IMAGE),
    (0, b"II*\x00", Kind.IMAGE),
    (0, b"MM\x00*", Kind.IMAGE),
    (8, b"WEBP", Kind.IMAGE),
)
"""Where some bytes stand that say what a file is, in the order of asking."""

# torch.save before 1.6: a pickle of this number comes first.
_LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PICKLE = re.compile(rb"\x80[\x02-\x05]|c[\w.]+\n\w+\n|\([dl]p?\d*\n|\([dl][\w.]*\n")


def kind_of(path: Path) -> Kind:
    """What the file or folder at `path` is, by its content; nothing of it is run.

    A name decides only where the bytes say nothing: the suffix of a TensorRT plan, and the IR that
    a file of weights lies beside. Raises InputError where it is no file, or cannot be read.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    with open_regular(path) as file:
        head = file.read(_HEAD)
    if not head:
        return Kind.EMPTY
    for place, magic, kind in _MAGIC:
        if head[place : place + len(magic)] == magic:
            return kind
    if head.startswith(b"PK"):
        return _kind_of_zip(path)
    if _LEGACY_MAGIC in head[:32]:
        return Kind.LEGACY_CHECKPOINT
    if _is_safetensors(path, head):
        return Kind.SAFETENSORS
    found = _kind_of_text(head) or _kind_of_protobuf(path)
    if found is None and _PICKLE.match(head):
        return Kind.PICKLE
    return _kind_by_name(path, found) if found in (None, Kind.TEXT) else found


def ir_in(folder: Path) -> Path | None:
    """The OpenVINO IR in a folder: what optimum-intel calls so, else the only one."""
    named = folder / IR_FILE
    files = [file for file in sorted(folder.glob("*.xml")) if file.is_file()]
    found = [file for file in files if kind_of(file) is Kind.OPENVINO]
    return named if named in found else found[0] if len(found) == 1 else None


def _kind_of_folder(folder: Path) -> Kind:
    if ir_in(folder) is not None:
        return Kind.OPENVINO_FOLDER
    if (folder / "saved_model.pb").is_file():
        return Kind.SAVED_MODEL
    if (folder / "Manifest.json").is_file() and (folder / "Data").is_dir():
        return Kind.COREML
    if (folder / "config.json").is_file():
        return Kind.TRANSFORMERS_FOLDER
    return Kind.FOLDER


def _kind_of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return Kind.ZIP_CUT
    last = {name.rpartition("/")[2] for name in names}
    inner = [name.partition("/")[2] or name for name in names]  # torch puts all in one folder
    if any(name.startswith("code/") for name in inner) or last & {"constants.pkl", "bytecode.pkl"}:
        return Kind.TORCHSCRIPT
    if "data.pkl" in last:
        return Kind.CHECKPOINT
    if last & {"archive_format", "serialized_exported_program.json"}:
        return Kind.TORCH_EXPORT
    if {"config.json", "model.weights.h5"} <= last:
        return Kind.KERAS
    if "saved_model.pb" in last:
        return Kind.SAVED_MODEL
    if names and all(name.endswith(".npy") for name in names):
        return Kind.ARRAYS
    return Kind.ZIP


def _is_safetensors(path: Path, head: bytes) -> bool:
    """The length of a JSON object of tensors, and that object."""
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or not 2 <= length <= min(_MOST_HEADER, path.stat().st_size - 8):
        return False
    with path.open("rb") as file:
        file.seek(8)
        text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and all(
        name == "__metadata__" or (isinstance(entry, dict) and "data_offsets" in entry)
        for name, entry in header.items()
    )


def _kind_of_text(head: bytes) -> Kind | None:
    """Of what is written for people, or by a program as if for them; None of all else."""
    try:
        text = head.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a character that the head cuts
            return None
        text = head[: error.start].decode()
    if any(character < " " and character not in "\t\n\r\f" for character in text):
        return None
    text = text.lstrip()
    if text.startswith("version https://git-lfs.") or "/annex/objects/" in text[:100]:
        return Kind.LFS_POINTER
    if re.match(r"<!doctype html|<html", text, re.IGNORECASE):
        return Kind.HTML
    if re.match(r"(<\?xml.*?\?>)?\s*(<!--.*?-->\s*)*<net[\s>]", text, re.DOTALL):
        return Kind.OPENVINO
    if re.match(r"<\s*ir_version\s*:|ir_version\s*:\s*\d|\{\s*\"irVersion\"", text):
        return Kind.ONNX_TEXT
    if text.startswith("<?xml") or re.match(r"<[A-Za-z]", text):
        return Kind.XML
    if text.startswith("{"):
        return Kind.WEIGHTS_INDEX if '"weight_map"' in text else Kind.JSON
    return Kind.PICKLE if _PICKLE.match(head) else Kind.TEXT


def _kind_of_protobuf(path: Path) -> Kind | None:
    found = framing(path)
    if found is None:
        return None
    if found.is_onnx:
        return Kind.ONNX if found.whole else Kind.ONNX_CUT
    kinds = {
        Kind.SAVED_MODEL: found.is_saved_model,
        Kind.TENSORFLOW_GRAPH: found.is_tensorflow_graph,
        Kind.COREML: found.is_coreml,
        Kind.CAFFE: found.is_caffe,
    }
    return next((kind for kind, holds in kinds.items() if holds and found.whole), None)


def _kind_by_name(path: Path, found: Kind | None) -> Kind:
    """Of a file whose bytes say nothing (or are text), by its name and what it lies beside."""
    if path.suffix in _PLAN_SUFFIXES:
        return Kind.PLAN
    beside = path.with_suffix(".xml")
    if path.suffix == ".bin" and beside.is_file() and kind_of(beside) is Kind.OPENVINO:
        return Kind.OPENVINO_WEIGHTS
    if ".data-" in path.name or ".ckpt." in path.name or path.suffix == ".index":
        return Kind.TENSORFLOW_CHECKPOINT
    return found or Kind.UNKNOWN


def refusal_of(path: Path, kind: Kind, wanted: str = "model") -> InputError:
    """One line for a file that is no model (or whatever is `wanted`, such as "checkpoint") of ours:
    what it is, what was expected, what to type next."""
    advice = _ADVICE.get(kind, _ANY_MODEL).format(path=path, name=path.name, stem=path.stem)
    return InputError(f"{wanted} {path} is {kind.value}: {advice}")


_ANY_MODEL = (
    "expected an ONNX file, a checkpoint, OpenVINO IR or a TensorRT plan; `smoothcert export` "
    "writes ONNX from a checkpoint"
)
_AGAIN = "expected the whole file; copy or download it again"
_PROGRAM = (
    "a program, which is not run; save its state_dict() where it is trusted, or export it to ONNX "
    "there"
)


def _tf2onnx(options: str) -> str:
    return (
        f"expected ONNX; convert it with `python -m tf2onnx.convert {options} --output "
        "{stem}.onnx`"
    )


_ADVICE = {
    Kind.ONNX_CUT: _AGAIN,
    Kind.ZIP_CUT: f"as torch.save writes, {_AGAIN}",
    Kind.EMPTY: _AGAIN,
    Kind.ONNX_TEXT: "expected its binary form; onnx.save(onnx.load(...), '{stem}.onnx') of the "
    "onnx package writes it",
    Kind.ORT: "expected the .onnx file that it was made from",
    Kind.OPENVINO_WEIGHTS: "expected the network; give {stem}.xml, which is beside it",
    Kind.TORCHSCRIPT: _PROGRAM,
    Kind.TORCH_EXPORT: _PROGRAM,
    Kind.EXECUTORCH: _PROGRAM,
    Kind.KERAS: "expected ONNX; Keras 3 writes it: model.export('{stem}.onnx', format='onnx')",
    Kind.HDF5: _tf2onnx("--keras {name}"),
    Kind.TFLITE: _tf2onnx("--tflite {name}"),
    Kind.SAVED_MODEL: _tf2onnx("--saved-model FOLDER"),
    Kind.TENSORFLOW_GRAPH: _tf2onnx("--graphdef {name} --inputs NAME:0 --outputs NAME:0"),
    Kind.TENSORFLOW_CHECKPOINT: _tf2onnx("--checkpoint NAME.meta --inputs NAME:0 --outputs NAME:0"),
    Kind.CAFFE: "expected ONNX; OpenVINO 2023 or caffe2onnx converts it",
    Kind.COREML: "expected ONNX; export it from the network that it was converted from",
    Kind.MXNET: "expected ONNX; mxnet.onnx.export_model of MXNet 1.9 writes it",
    Kind.GGUF: "expected a classifier of images as ONNX or a checkpoint",
    Kind.PICKLE: "unpickling runs code, which is refused; write the model as ONNX where it is "
    "trusted (scikit-learn: skl2onnx), or the weights with torch.save(model.state_dict(), ...)",
    Kind.TAR: "expected the model itself; unpack it with `tar -xf {name}` and give what is inside",
    Kind.ZIP: "expected the model itself; unpack it with `unzip {name}` and give what is inside",
    Kind.COMPRESSED: "expected the model itself; decompress it and give what is inside",
    Kind.ARRAYS: "expected a model, then images: `smoothcert certify MODEL SOURCE OUT`",
    Kind.PARQUET: "expected a model, then images: `smoothcert certify MODEL SOURCE OUT`",
    Kind.IMAGE: "expected a model, then images: `smoothcert certify MODEL SOURCE OUT`",
    Kind.LFS_POINTER: "it stands for a file that was not fetched; `git lfs pull` brings the file "
    "itself",
    Kind.HTML: "a page was saved in place of the file; download the file itself (its raw or "
    "resolve address)",
    Kind.WEIGHTS_INDEX: "expected the weights; give the folder as hf:FOLDER to `smoothcert export "
    "--arch`",
    Kind.TRANSFORMERS_FOLDER: "expected a file; `smoothcert export --arch hf:{path} -o model.onnx` "
    "exports an image classifier",
    Kind.FOLDER: "expected a model file; give the file that is inside",
}
