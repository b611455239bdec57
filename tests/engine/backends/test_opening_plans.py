"""A plan asked for with the wrong device, backend or batch: one line each, before any GPU call."""

from pathlib import Path
from typing import Any

import pytest
from plan_files import write_plan

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.backends.opening import device_index, open_backend
from smoothcert.engine.backends.tensorrt.trust import open_plan
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian


@pytest.mark.parametrize(
    ("device", "index"),
    [("cuda", 0), ("cuda:0", 0), ("cuda:12", 12), ("cpu", None), ("cuda:", None), ("cuda:x", None)],
)
def test_device_names(device: str, index: int | None) -> None:
    assert device_index(device) == index


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            r"device 'cpu' does not run the TensorRT plan .*model\.plan: expected --device cuda:0",
        ),
        ({"device": "cuda:x"}, "device 'cuda:x' does not run"),
        ({"device": "cuda:0", "backend": "onnxruntime"}, "backend 'onnxruntime' does not run"),
        ({"device": "cuda:0", "batch": 64}, "batch 64 does not fit plan .* built for 256"),
    ],
)
def test_what_does_not_fit_a_plan_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    model = open_plan(write_plan(tmp_path / "model.plan"))
    with pytest.raises(InputError, match=message):
        open_backend(model, LatticeGaussian(0.5), 0, Compute(**options))


@pytest.mark.skipif(bool(gpus()), reason="this machine has a GPU")
def test_without_a_gpu_a_plan_is_refused_in_one_line(tmp_path: Path) -> None:
    model = open_plan(write_plan(tmp_path / "model.plan"))
    with pytest.raises(InputError, match="needs an NVIDIA GPU") as caught:
        open_backend(model, LatticeGaussian(0.5), 0, Compute(device="cuda:0", batch=256))
    assert "\n" not in str(caught.value)
