"""Models of the malicious and of the careless: small checkpoints, ONNX files, folders.

Each is written at a path that is given, and is well but for what its function's name says. All take
images of `SHAPE`, and have `CLASSES` classes where nothing else is said.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from smoothcert.engine.base.input_spec import METADATA_KEY

SHAPE = (3, 8, 8)
CLASSES = 4
_PIXELS = 192

Sides = Sequence[int | str | None]

METADATA: dict[str, Any] = {
    "input_shape": list(SHAPE), "mean": [], "std": [], "resize": None,
    "interpolation": "bilinear", "arch": "small_cnn", "dataset": None,
}  # fmt: skip
"""What `export` writes into a model of these images."""

MODULE = """from pathlib import Path

Path({marker!r}).write_text("imported")


def f(*arguments, **named):
    Path({marker!r}).write_text("called")
    raise SystemExit(0)
"""
"""A module that leaves a file where it is imported or called."""

ARCHITECTURES = (
    "os:abort", "sys:exit", "builtins:input", "code:interact", "builtins:breakpoint", "os:fork",
    "faulthandler:_sigsegv", "http.server:test", "unittest:main", "this:x", "antigravity:x",
    "..x:y", "evilmod:f", "evilmod:f.__call__", "evilmod", "evilmod.f", "os.system:x",
    "builtins:exec", "torchvision:evilmod.f", "torchvision.evilmod:f", "timm:hf-hub:evilmod/f",
    "timm:evilmod.f", "timm:local-dir:.", "hf:evilmod", "hf:.", ":f", "evilmod:", "x" * 2000 + ":f",
    "small_cnn:f", "evilmod:f\n", "evilmod:f\x1b[31m", "\ud800:f",
)  # fmt: skip
"""What a file may call its architecture, to have something run or shown."""


def source(path: Path, images: int = 4) -> Path:
    """An .npz of random images."""
    pixels = np.random.default_rng(1).integers(0, 256, (images, 8, 8, 3)).astype(np.uint8)
    np.savez(path, images=pixels, labels=np.arange(images) % CLASSES)
    return path


def onnx_of(
    nodes: Sequence[NodeProto],
    tensors: Mapping[str, npt.NDArray[Any]] | None = None,
    metadata: str | None = None,
    batch: int | str = "N",
    returned: Sides = ("N", CLASSES),
    shape: Sides = SHAPE,
) -> bytes:
    """The bytes of an ONNX file from `input` to `logits` with these nodes."""
    graph = helper.make_graph(
        list(nodes),
        "hostile",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, list(returned))],
        [numpy_helper.from_array(value, name) for name, value in (tensors or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if metadata is not None:
        helper.set_model_props(model, {METADATA_KEY: metadata})
    found: bytes = model.SerializeToString()
    return found


def _linear(output: str) -> list[NodeProto]:
    """A true classifier of the images, to a tensor of this name."""
    return [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], [output]),
    ]


def _weight(classes: int = CLASSES) -> dict[str, npt.NDArray[np.float32]]:
    values = np.random.default_rng(0).normal(size=(_PIXELS, classes))
    return {"weight": values.astype(np.float32)}


def classifier(metadata: str | None = None, batch: int | str = "N") -> bytes:
    """A linear classifier, with the metadata and the batch that are given."""
    return onnx_of(_linear("logits"), _weight(), metadata, batch, returned=(batch, CLASSES))


def twice_the_batch(metadata: str | None = None) -> bytes:
    """Two rows of logits for each image."""
    nodes = [*_linear("once"), helper.make_node("Concat", ["once", "once"], ["logits"], axis=0)]
    return onnx_of(nodes, _weight(), metadata, returned=("M", CLASSES))


def one_row_fewer(metadata: str | None = None) -> bytes:
    """All rows of a batch but the first."""
    tensors: dict[str, npt.NDArray[Any]] = {
        **_weight(), "from": np.array([1]), "to": np.array([2**31 - 1]), "axis": np.array([0])
    }  # fmt: skip
    nodes = [*_linear("all"), helper.make_node("Slice", ["all", "from", "to", "axis"], ["logits"])]
    return onnx_of(nodes, tensors, metadata, returned=("M", CLASSES))


def wants_memory(numbers: int = 10**10, metadata: str | None = None) -> bytes:
    """Widens each image to so many float32 numbers when it runs, of which it uses their largest."""
    nodes = [
        *_linear("once"),
        helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["one"]),
        helper.make_node("Expand", ["one", "wide"], ["many"]),
        helper.make_node("Relu", ["many"], ["positive"]),
        helper.make_node("ReduceMax", ["positive", "sides"], ["largest"], keepdims=1),
        helper.make_node("Reshape", ["largest", "column 2"], ["last"]),
        helper.make_node("Add", ["once", "last"], ["logits"]),
    ]
    tensors: dict[str, npt.NDArray[Any]] = {
        **_weight(), "axes": np.array([1, 2, 3]), "column": np.array([-1, 1, 1]),
        "wide": np.array([1, numbers // 10**5, 10**5]), "sides": np.array([1, 2]),
        "column 2": np.array([-1, 1]),
    }  # fmt: skip
    return onnx_of(nodes, tensors, metadata)


def fails_at_run_time(metadata: str | None = None) -> bytes:
    """Picks, of each row of logits, one that it has not."""
    nodes = [
        *_linear("once"),
        helper.make_node("Cast", ["once"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Mul", ["whole", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "far"], ["places"]),
        helper.make_node("GatherElements", ["once", "places"], ["logits"], axis=1),
    ]
    tensors = {**_weight(), "zero": np.array([0]), "far": np.array([10**9])}
    return onnx_of(nodes, tensors, metadata)


def many_classes(classes: int) -> bytes:
    """A few bytes that declare so many classes."""
    nodes = [
        helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("Expand", ["column", "wide"], ["logits"]),
    ]
    tensors = {
        "axes": np.array([1, 2, 3]), "last": np.array([1]), "wide": np.array([1, classes])
    }  # fmt: skip
    return onnx_of(nodes, tensors, returned=("N", classes))


def large_images(channels: int, height: int, width: int) -> bytes:
    """A few bytes that declare images of such sides."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    return onnx_of(nodes, returned=("N", channels), shape=(channels, height, width))


def keeps_weights_in(path: Path, location: str) -> Path:
    """A classifier whose weights are elsewhere: in the file of that name, which is not written."""
    model = onnx.load_from_string(classifier())
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    return path


def ir_of(path: Path, onnx_bytes: bytes) -> Path:
    """The same network as OpenVINO IR, beside an ONNX file that is written first."""
    import openvino

    file = path.with_suffix(".onnx")
    file.write_bytes(onnx_bytes)
    openvino.save_model(openvino.convert_model(str(file)), str(path), compress_to_fp16=False)
    return path


def state() -> "dict[str, Any]":
    """The weights of a small_cnn of these images and classes."""
    import torch

    from smoothcert.export.architectures import architecture

    torch.manual_seed(0)
    return dict(architecture("small_cnn", CLASSES, SHAPE).state_dict())


def checkpoint(path: Path, weights: "dict[str, Any] | None" = None, **facts: Any) -> Path:
    """A checkpoint of small_cnn that says of itself what it has to, but for `facts`."""
    import torch

    said = {"arch": "small_cnn", "num_classes": CLASSES, "input_shape": list(SHAPE), **facts}
    torch.save({"state_dict": state() if weights is None else weights, **said}, path)
    return path


def folder_of_vit(path: Path, config: Mapping[str, Any] | None = None,
                  preprocessing: Mapping[str, Any] | None = None) -> Path:  # fmt: skip
    """A Hugging Face folder of a tiny image classifier, with entries changed."""
    import transformers

    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 8, "image_size": 8, "patch_size": 4,
             "num_labels": CLASSES}  # fmt: skip
    own = transformers.ViTConfig(**sizes)
    transformers.ViTForImageClassification(own).save_pretrained(path)
    written = json.loads((path / "config.json").read_text()) | dict(config or {})
    (path / "config.json").write_text(json.dumps(written))
    prepares = {
        "image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8},
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_resize": False, **(preprocessing or {})
    }  # fmt: skip
    (path / "preprocessor_config.json").write_text(json.dumps(prepares))
    return path
