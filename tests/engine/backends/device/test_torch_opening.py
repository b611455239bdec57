"""Model files as torch networks: checkpoints and ONNX, in each precision."""

from pathlib import Path

import pytest
import torch

from smoothcert.engine.backends.device.torch_opening import open_torch_network
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.opening import open_model
from smoothcert.export.random_model import write_random_model

DATA = Path(__file__).parents[4] / "data"


def test_a_checkpoint_and_its_onnx_file_are_fused_alike() -> None:
    """The demo's network: three convolutions."""
    checkpoint = open_model(DATA / "fashion_mnist_sigma25.pth")
    for model in (checkpoint, open_onnx(checkpoint.path)):
        described = open_torch_network(model, 16, "fp32", "cpu").describe()
        assert described["convolutions"] == {"fused": 3, "apart": 0}
        assert described["precision"] == "fp32"
        assert "tuned" not in described


@pytest.mark.parametrize(
    ("precision", "scalar"), [("fp32", "float32"), ("fp16", "float16"), ("bf16", "bfloat16")]
)
def test_an_fp32_model_runs_in_each_precision(
    networks: dict[str, Model], precision: str, scalar: str
) -> None:
    network = open_torch_network(networks["resnet20"], 4, precision, "cpu")
    assert (network.input_scalar, network.logits_scalar) == (scalar, scalar)
    assert network.input_layout == "nhwc3"
    assert network.describe()["convolutions"] == {"fused": 19, "apart": 2}


def test_a_half_file_runs_as_it_is_and_in_nothing_else(tmp_path: Path) -> None:
    model = write_random_model("small_cnn", tmp_path / "half.onnx", precision="fp16")
    network = open_torch_network(model, 4, "fp16", "cpu")
    assert network.describe()["precision"] == "fp16"
    assert network.describe()["convolutions"]["fused"] == 3
    with pytest.raises(InputError, match=r"precision fp32 does not fit model .*, which is fp16"):
        open_torch_network(model, 4, "fp32", "cpu")


def test_a_quantised_file_names_its_operator(tmp_path: Path) -> None:
    model = write_random_model("small_cnn", tmp_path / "q.onnx", precision="int8", target="gpu")
    with pytest.raises(InputError, match=r"(Q|Deq)uantizeLinear"):
        open_torch_network(model, 4, "int8", "cpu")


def test_tuning_is_left_to_bind(networks: dict[str, Model]) -> None:
    network = open_torch_network(networks["demo"], 4, "fp32", "cpu", tune=True)
    assert "tuned" not in network.describe()
    memory = torch.zeros(2, 4 * 28 * 28), torch.zeros(4, 10)
    network.bind([row.data_ptr() for row in memory[0]], memory[1].data_ptr(), 0)
    described = network.describe()
    assert described["tuned"] is True
    assert {"eager", "fused"} <= set(described["rows_per_second"])
