"""A module as ONNX by the exporter that can write it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import METADATA_KEY, InputSpec
from smoothcert.export.onnx_model import EXPORTERS, write_onnx

SPEC = InputSpec(3, 16, 16)


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, attention: what ViTs are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.positions = nn.Parameter(torch.randn(1, 17, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        logits: torch.Tensor = self.head(self.norm(self.encoder(x)[:, 0]))
        return logits


class ValueDependent(nn.Module):
    """A choice by a value, which the newer exporter cannot write: the older keeps one branch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(768, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(x.flatten(1))
        return logits if self.linear.bias.sum().item() > -1e9 else -logits


class Unwritable(nn.Module):
    """Numbers that leave torch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        eigenvalues: torch.Tensor = torch.linalg.eigvals(x[:, 0]).real[:, :5]
        return eigenvalues


def written(module: nn.Module, path: Path, **options: Any) -> str:
    return write_onnx(module, SPEC, 5, path, {"arch": "net"}, **options)


def metadata(path: Path) -> Any:
    (entry,) = [p for p in onnx.load(str(path)).metadata_props if p.key == METADATA_KEY]
    return json.loads(entry.value)


def agrees(module: nn.Module, path: Path) -> None:
    for batch in (1, 3, 8):
        x = torch.randn(batch, *SPEC.shape)
        (logits,) = onnxruntime.InferenceSession(str(path)).run(None, {"input": x.numpy()})
        with torch.inference_mode():
            assert np.allclose(logits, module(x).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_vision_transformer_is_written_by_either(
    exporter: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    module, path = VisionTransformer().eval(), tmp_path / "m.onnx"
    assert written(module, path, exporters=[exporter]) == exporter
    agrees(module, path)
    assert metadata(path).get("exporter") == (None if exporter == EXPORTERS[0] else exporter)
    assert capfd.readouterr() == ("", "")


def test_the_older_exporter_takes_over_where_the_newer_fails(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, path = ValueDependent().eval(), tmp_path / "m.onnx"
    with pytest.raises(InputError, match="cannot be exported"):
        written(module, path, exporters=EXPORTERS[:1])
    assert written(module, path) == "torchscript"
    assert metadata(path)["exporter"] == "torchscript"
    agrees(module, path)


def test_what_no_exporter_can_write_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="cannot be exported to ONNX") as caught:
        written(Unwritable(), tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
