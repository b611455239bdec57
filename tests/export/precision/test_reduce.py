"""Reduced precisions of the demo's model: valid files that vote almost as float32 does."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.checkpoint_export import export_checkpoint
from smoothcert.export.precision.quantize import Target
from smoothcert.export.precision.reduce import Precision, Reduction, reduce_precision

DATA = Path(__file__).parents[3] / "data"
CHECKPOINT, SOURCE = DATA / "fashion_mnist_sigma25.pth", str(DATA / "fashion_mnist_500.npz")


@pytest.fixture(scope="module")
def float32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "float32.onnx"
    export_checkpoint(CHECKPOINT, out)
    return out


@pytest.mark.parametrize(
    ("reduction", "input_type", "zeta"),
    [
        (Reduction("fp16", SOURCE, 0.25, images=20), "float16", 0.002),
        (Reduction("bf16", SOURCE, 0.25, images=20), "bfloat16", 0.01),
        (Reduction("int8", SOURCE, 0.25, images=20), "float32", 0.02),
        (Reduction("int8", SOURCE, 0.25, "gpu", images=20), "float32", 0.02),
        (Reduction("fp8", SOURCE, 0.25, images=20), "float32", 0.05),
        (Reduction("fp16"), "float16", 0.01),
    ],
)
def test_votes_and_file(
    float32: Path, tmp_path: Path, reduction: Reduction, input_type: str, zeta: float
) -> None:
    out = tmp_path / "out.onnx"
    reduced = reduce_precision(float32, out, reduction)
    assert reduced.disagreement.zeta <= zeta
    assert reduced.kept == []
    onnx.checker.check_model(onnx.load(str(out)), full_check=True)
    model = open_onnx(out)
    assert model.input_type == input_type
    assert model.describe()["precision"] == reduction.precision
    assert model.metadata["float32_sha256"] == open_onnx(float32).sha256
    assert model.spec == open_onnx(float32).spec
    first = out.read_bytes()
    reduce_precision(float32, out, reduction)
    assert out.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]


def optimised(path: Path) -> Counter[str]:
    """The kernels that ONNX Runtime chooses."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    out = path.with_name("optimised.onnx")
    options.optimized_model_filepath = str(out)
    onnxruntime.InferenceSession(str(path), options)
    return Counter(node.op_type for node in onnx.load(str(out)).graph.node)


def activations(model: Any) -> list[Any]:
    """The zero points of all that is quantised while the network runs."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return [tensors[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"]


def test_int8_for_cpu_runs_in_integer_kernels_with_residual_sums(tmp_path: Path) -> None:
    import torch

    from smoothcert.export.architectures import architecture

    torch.manual_seed(1)
    module = architecture("cifar_resnet20", 10, (3, 32, 32))
    module.train()
    with torch.no_grad():
        module(torch.randn(16, 3, 32, 32))
    torch.save({"state_dict": module.state_dict(), "arch": "cifar_resnet20"}, tmp_path / "r.pth")
    export_checkpoint(tmp_path / "r.pth", tmp_path / "r.onnx")
    source = tmp_path / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    np.savez(source, images=pixels, labels=np.arange(4))
    out = tmp_path / "int8.onnx"
    reduce_precision(tmp_path / "r.onnx", out, Reduction("int8", str(source), 0.25, images=4))
    kernels = optimised(out)
    assert (kernels["QLinearConv"], kernels["QLinearAdd"], kernels["QGemm"]) == (21, 9, 1)
    assert not {"Conv", "Add", "Gemm", "Relu"} & set(kernels)
    assert {zero.dtype for zero in activations(onnx.load(str(out)))} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_a_gpu_file_is_symmetric_with_float_biases(
    float32: Path, tmp_path: Path, precision: Precision
) -> None:
    out = tmp_path / "gpu.onnx"
    reduce_precision(float32, out, Reduction(precision, SOURCE, 0.25, "gpu", images=8))
    model = onnx.load(str(out))
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    eight = TensorProto.INT8 if precision == "int8" else TensorProto.FLOAT8E4M3FN
    assert eight in kinds
    assert not kinds & {TensorProto.UINT8, TensorProto.INT32}
    assert all(not zero.astype(np.float32).any() for zero in activations(model))


@pytest.mark.parametrize(
    ("precision", "target"), [("int8", "cpu"), ("int8", "gpu"), ("fp8", "gpu"), ("fp16", "cpu")]
)
def test_what_onnx_runtime_computes_is_what_the_file_says(
    float32: Path, tmp_path: Path, precision: Precision, target: Target
) -> None:
    """Against the reference implementation of ONNX: the optimiser must not change the function
    beyond rounding (it does for float8, which is therefore run unoptimised)."""
    from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork

    out = tmp_path / "out.onnx"
    reduce_precision(float32, out, Reduction(precision, SOURCE, 0.25, target, images=8))
    network = OnnxRuntimeNetwork(open_onnx(out), 8)
    network.inputs[:] = np.random.default_rng(0).random(network.inputs.shape)
    logits = network.run()
    images = network.inputs.reshape(8, 1, 28, 28)
    typed = images.astype(np.float16) if precision == "fp16" else images
    # The reference implementation has quantised operators from opset 19 on, where they compute
    # what they did before.
    newer = onnx.version_converter.convert_version(onnx.load(str(out)), 21)
    (expected,) = ReferenceEvaluator(newer).run(None, {"input": typed})
    # int8: roundings to neighbouring steps, of which the logits have 255.
    expected = np.asarray(expected)
    assert np.abs(logits - expected).max() < (0.3 if precision == "int8" else 0.02)
    assert np.abs(expected).max() > 2.0
    for batch in (1, 2):
        if (target, batch) == ("gpu", 1):
            with pytest.raises(InputError, match="at least 2"):
                OnnxRuntimeNetwork(open_onnx(out), batch)
            continue
        smaller = OnnxRuntimeNetwork(open_onnx(out), batch)
        for start in range(0, 8, batch):
            smaller.inputs[:] = network.inputs[start : start + batch]
            assert np.array_equal(smaller.run(), logits[start : start + batch])


def test_layers_are_kept_until_the_votes_agree(float32: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    reduction = Reduction("fp8", SOURCE, 0.25, max_zeta=0.006, images=64)
    reduced = reduce_precision(float32, out, reduction)
    assert reduced.kept
    model = onnx.load(str(out))
    dequantized = {
        name for n in model.graph.node if n.op_type == "DequantizeLinear" for name in n.output
    }
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            assert (node.input[1] not in dequantized) == (node.name in reduced.kept)
    assert open_onnx(out).metadata["quantization"]["float32_layers"] == reduced.kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("int8",), "needs noisy images"),
        (("fp8",), "needs noisy images"),
        (("fp16", SOURCE), "go together"),
        (("int8", SOURCE, 0.25, "cpu", 1.0), "max-zeta"),
        (("fp32",), "no reduced one"),
    ],
)
def test_reductions_that_cannot_be_are_refused(options: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Reduction(*options)
    assert "\n" not in str(caught.value)


def test_a_weight_beyond_float16_is_named(float32: Path, tmp_path: Path) -> None:
    model = onnx.load(str(float32))
    tensor = next(t for t in model.graph.initializer if t.name == "0.weight")
    values = numpy_helper.to_array(tensor).copy()
    values.flat[0] = 1e5
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    large = tmp_path / "large.onnx"
    onnx.save(model, str(large))
    out = tmp_path / "out.onnx"
    with pytest.raises(InputError, match=r"weight 0.weight has 100000.* --precision bf16"):
        reduce_precision(large, out, Reduction("fp16"))
    assert not out.exists()
    reduce_precision(large, out, Reduction("bf16"))
