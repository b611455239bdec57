"""Random weights, the same every time, in the architecture's usual shape."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from smoothcert.export.random_model import random_module, write_random_model


def test_weights_are_the_same_every_time_and_leave_torchs_seed_alone() -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, other = (random_module("small_cnn", 10, (1, 28, 28)) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    states = one.state_dict(), other.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not one.training


def test_the_model_is_of_its_usual_dataset_unless_told(tmp_path: Path) -> None:
    usual = write_random_model("small_cnn", tmp_path / "usual.onnx")
    assert (usual.spec.shape, usual.num_classes) == ((1, 28, 28), 10)
    assert usual.metadata["weights"] == "random"
    told = write_random_model(
        "small_cnn", tmp_path / "told.onnx", input_shape=(3, 20, 24), num_classes=7
    )
    assert (told.spec.shape, told.num_classes, told.precision) == ((3, 20, 24), 7, "fp32")


def test_int8_is_a_model_of_its_own_and_bf16_is_not(tmp_path: Path) -> None:
    lowered = write_random_model("small_cnn", tmp_path / "bf16.onnx", precision="bf16")
    assert lowered.precision == "fp32"  # the runtime lowers it
    quantised = write_random_model("small_cnn", tmp_path / "int8.onnx", precision="int8")
    assert quantised.precision == "int8"
    assert quantised.metadata["arch"] == "small_cnn"
    assert quantised.metadata["quantization"]["target"] == "cpu"


def test_int8_for_a_gpu_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    model = write_random_model("small_cnn", path, precision="int8", target="gpu")
    assert model.metadata["quantization"]["target"] == "gpu"
    assert model.metadata["quantization"]["float32_layers"] == []
