"""The network with switches computes what each layer, quantised alone, would."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.checkpoint_export import export_checkpoint
from smoothcert.export.precision.calibration import Calibration
from smoothcert.export.precision.harm import _Switched, ranked_by_harm
from smoothcert.export.precision.quantize import Quantizer, Target

DATA = Path(__file__).parents[3] / "data"


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_each_switch_is_the_model_with_one_layer_quantised(tmp_path: Path, target: Target) -> None:
    path = tmp_path / "float32.onnx"
    export_checkpoint(DATA / "fashion_mnist_sigma25.pth", path)
    described, model = open_onnx(path), onnx.load(str(path))
    with np.load(DATA / "fashion_mnist_500.npz") as file:
        images = [image[None] for image in file["images"][:8]]
    calibration = Calibration(images, 0.25)
    quantizer = Quantizer(model, described.spec, calibration, target, tmp_path)
    quantised = quantizer.quantized(between=False)
    inputs = np.concatenate(list(calibration.batches(described.spec)))
    network = _Switched(model, quantised, quantizer.layers, tmp_path, optimised=True)

    def alone(model: onnx.ModelProto) -> npt.NDArray[np.float32]:
        out = tmp_path / "alone.onnx"
        onnx.save(model, str(out))
        found = OnnxRuntimeNetwork(open_onnx(out), len(inputs))
        found.inputs[:] = inputs.reshape(len(inputs), -1)
        return found.run().copy()

    plain = alone(model)
    assert np.allclose(network.logits(inputs, -1), plain, atol=1e-4)
    harm = {}
    for number, layer in enumerate(quantizer.layers):
        kept = [other for other in quantizer.layers if other != layer]
        one = alone(quantizer.quantized(kept, between=False))
        moved = one - plain
        # Values between two steps may be rounded to either.
        size = np.sqrt(np.mean((moved - moved.mean(axis=1, keepdims=True)) ** 2))
        assert np.sqrt(np.mean((network.logits(inputs, number) - one) ** 2)) < 0.2 * size
        harm[layer] = size
    told: list[int] = []
    order = ranked_by_harm(
        model, quantised, quantizer.layers, inputs, tmp_path, optimised=True, ran=told.append
    )
    assert told == [len(inputs)] * len(harm)
    assert order[0] == max(harm, key=lambda layer: harm[layer])
    assert sorted(order) == sorted(harm)
