"""ONNX models of strangers: a linear classifier of the channels' means, and what is odd of each."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

from strangers.certifying import audited, certify, image_file, run_of, same_rows
from strangers.command import Table, smoothcert

TABLE = Table("model")

_BODY = "g = GlobalAveragePool(h) f = Flatten(g) y = Gemm<transB = 1>(f, W, B)"


def write(
    path: Path,
    *,
    takes: str = "float[N,3,8,8] x",
    gives: str = "float[N,5] y",
    before: str = "h = Identity(x)",
    after: str = "",
    opset: int = 17,
    classes: int = 5,
    constants: Mapping[str, object] | None = None,
) -> Path:
    """A model in ONNX's text syntax: x, `before`, h, the classifier, y, `after`."""
    text = (
        f'<ir_version: 8, opset_import: ["": 17]> agraph ({takes}) => ({gives}) '
        f"{{ {before} {_BODY} {after} }}"
    )
    model = onnx.parser.parse_model(text)
    weights = 6 * np.random.default_rng(0).normal(size=(classes, 3)).astype(np.float32)
    tensors = {"W": weights, "B": np.zeros(classes, np.float32), **(constants or {})}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()
    )
    model.opset_import[0].version = opset
    onnx.save(model, str(path))
    return path


def plain(folder: Path) -> Path:
    """The classifier as the product has it: NCHW, float32, an open batch."""
    return write(folder / "plain.onnx")


def _twins(folder: Path, one: Path, other: Path, *options: object) -> Path:
    """Certify both, the first with options; their rows are the same. The first's log."""
    source, log = image_file(folder), folder / "one.tsv"
    certify(one, source, log, *options).works()
    certify(other, source, folder / "other.tsv").works()
    same_rows(log, folder / "other.tsv")
    audited(log, source)
    return log


def _refused(folder: Path, model: Path, *words: str, options: tuple[object, ...] = ()) -> None:
    log = folder / "out.tsv"
    certify(model, image_file(folder), log, *options).refused(*words)
    assert not log.exists()


@TABLE.row("batchnorm_training.onnx")
def batchnorm_training(folder: Path) -> None:
    three = {name: np.full(3, value, np.float32) for name, value in (("s", 1), ("b", 0))}
    three |= {"m": np.zeros(3, np.float32), "v": np.ones(3, np.float32)}
    before = "h, m2, v2 = BatchNormalization<training_mode = 1>(x, s, b, m, v)"
    model = write(folder / "m.onnx", before=before, constants={**three})
    _refused(folder, model, "BatchNormalization", "batch", "model.eval()")


@TABLE.row("batch_mean.onnx")
def batch_mean(folder: Path) -> None:
    before = "bm = ReduceMean<axes = [0], keepdims = 1>(x) h = Sub(x, bm)"
    _refused(folder, write(folder / "m.onnx", before=before), "ReduceMean", "batch")


@TABLE.row("noise_inside.onnx")
def noise_inside(folder: Path) -> None:
    before = "r = RandomNormalLike(x) h = Add(x, r)"
    _refused(folder, write(folder / "m.onnx", before=before), "RandomNormalLike", "random")


@TABLE.row("dropout_training.onnx")
def dropout_training(folder: Path) -> None:
    def dropout(ratio: float, training: bool) -> Path:
        constants = {"p": np.float32(ratio), "t": np.array(training)}
        return write(folder / "m.onnx", before="h = Dropout(x, p, t)", constants=constants)

    _refused(folder, dropout(0.5, True), "Dropout", "model.eval()")
    _twins(folder, dropout(0.5, False), plain(folder))


@TABLE.row("dynamic_quantization.onnx")
def dynamic_quantization(folder: Path) -> None:
    before = "q, s, z = DynamicQuantizeLinear(x) h = DequantizeLinear(q, s, z)"
    model = write(folder / "m.onnx", before=before)
    _refused(folder, model, "DynamicQuantizeLinear", "--calibrate", "--batch 1")
    source, log = image_file(folder), folder / "out.tsv"
    certify(model, source, log, "--batch", 1).works()
    assert run_of(log)["batch"] == 1
    audited(log, source)


@TABLE.row("one_sigmoid.onnx")
def one_sigmoid(folder: Path) -> None:
    model = write(folder / "m.onnx", gives="float[N,1] p", after="p = Sigmoid(y)", classes=1)
    _refused(folder, model, "--threshold")
    twin = write(
        folder / "twin.onnx",
        gives="float[N,2] z",
        after="p = Sigmoid(y) a = Sub(t, p) b = Sub(p, t) z = Concat<axis = 1>(a, b)",
        classes=1,
        constants={"t": np.float32(0.5)},
    )
    source, log = folder / "binary.npz", folder / "one.tsv"
    pixels = np.load(image_file(folder))["images"]
    np.savez(source, images=pixels, labels=np.arange(6) % 2)
    certify(model, source, log, "--threshold", 0.5).works("threshold")
    certify(twin, source, folder / "other.tsv").works()
    same_rows(log, folder / "other.tsv")
    audited(log, source)
    certify(plain(folder), source, folder / "x.tsv", "--threshold", 0.5).refused("threshold")


@TABLE.row("all_dims_open.onnx")
def all_dims_open(folder: Path) -> None:
    model = write(folder / "m.onnx", takes="float[batch_size,num_channels,height,width] x")
    _refused(folder, model, "--input-shape", "3,8,8")
    log = _twins(folder, model, plain(folder), "--input-shape", "3,8,8")
    assert run_of(log)["model"]["input_shape"] == [3, 8, 8]
    certify(plain(folder), image_file(folder), folder / "x.tsv", "--input-shape", "3,9,9").refused(
        "3", "9", "8"
    )


@TABLE.row("channels_last.onnx")
def channels_last(folder: Path) -> None:
    def model(sides: str) -> Path:
        return write(
            folder / "m.onnx",
            takes=f"float[N,{sides}] x",
            before="h = Transpose<perm = [0, 3, 1, 2]>(x)",
        )

    log = _twins(folder, model("8,8,3"), plain(folder))
    assert "nhwc" in str(run_of(log)["model"]["adapted"])
    _refused(folder, model("3,8,3"), "--layout")


@TABLE.row("logits_4d.onnx")
def logits_4d(folder: Path) -> None:
    model = write(
        folder / "m.onnx",
        gives="float[N,5,1,1] q",
        after="q = Reshape(y, shape)",
        constants={"shape": np.array([-1, 5, 1, 1])},
    )
    _twins(folder, model, plain(folder))


@TABLE.row("batch_1.onnx")
def batch_1(folder: Path) -> None:
    model = write(folder / "m.onnx", takes="float[1,3,8,8] x", gives="float[1,5] y")
    log = _twins(folder, model, plain(folder), "--batch", 8)
    assert "batch" in str(run_of(log)["model"]["adapted"])
    certify(model, image_file(folder), folder / "again.tsv").works("batch")
    # A node that reads the whole batch keeps it at 1.
    before = "bm = ReduceMean<axes = [0], keepdims = 1>(x) k = Mul(bm, half) h = Sub(x, k)"
    kept = write(
        folder / "kept.onnx",
        takes="float[1,3,8,8] x",
        gives="float[1,5] y",
        before=before,
        constants={"half": np.float32(0.5)},
    )
    certify(kept, image_file(folder), folder / "kept.tsv").works("batch")
    assert "batch 8" in certify(kept, image_file(folder), folder / "x.tsv", "--batch", 8).err


@TABLE.row("uint8_input.onnx")
def uint8_input(folder: Path) -> None:
    model = write(folder / "m.onnx", takes="uint8[N,3,8,8] x", before="h = Cast<to = 1>(x)")
    twin = write(
        folder / "twin.onnx",
        before="h = Clip(x, low, high)",
        constants={"low": np.float32(0), "high": np.float32(255)},
    )
    source, log = image_file(folder), folder / "one.tsv"
    certify(model, source, log).works("clamp")
    certify(twin, source, folder / "other.tsv", "--input-range", "0,255").works()
    same_rows(log, folder / "other.tsv")
    assert "clamp" in str(run_of(log)["model"]["adapted"])
    audited(log, source)


@TABLE.row("features_first.onnx")
def features_first(folder: Path) -> None:
    model = write(folder / "m.onnx", gives="float[N,3,1,1] g, float[N,5] y")
    _refused(folder, model, "g", "y", "--logits")
    _twins(folder, model, plain(folder), "--logits", "y")


@TABLE.row("opset_99.onnx")
def opset_99(folder: Path) -> None:
    _refused(folder, write(folder / "m.onnx", opset=99), "opset 99", "onnxruntime", "up to")
    newer = onnx.load(str(plain(folder)))
    newer.ir_version = 99
    (folder / "ir.onnx").write_bytes(newer.SerializeToString())
    _refused(folder, folder / "ir.onnx", "99", "IR version", "onnxruntime", "up to")


@TABLE.row("openvino_model.xml")
def openvino_model(folder: Path) -> None:
    import openvino

    alone = folder / "openvino_model.xml"
    alone.write_text('<net name="x" version="11"></net>')
    source, log = image_file(folder), folder / "out.tsv"
    certify(alone, source, log).refused("OpenVINO IR", "openvino_model.bin", "missing")
    whole = folder / "whole.xml"
    openvino.save_model(openvino.convert_model(plain(folder)), whole, compress_to_fp16=False)
    run = ("--n", 200, "--max", 3, "--sigma", 0.25, "--seed", 7)
    smoothcert("certify", whole, source, log, *run).works()
    assert run_of(log)["backend"] == "openvino"
    twin = folder / "twin.tsv"
    smoothcert("certify", plain(folder), source, twin, *run, "--backend", "openvino").works()
    same_rows(log, twin)
