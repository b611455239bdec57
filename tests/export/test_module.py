"""Torch modules as models: one file for one content, checked, resumed and audited as any other."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from held_data import LABELS, SHAPE, random_pixels
from torch import nn
from torch_modules import lively
from untimed_logs import untimed

import smoothcert
from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import Certification
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import FixedCertify
from smoothcert.export.architectures import architecture
from smoothcert.export.checkpoint_export import export_checkpoint
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.module import open_module
from smoothcert.export.opening import open_model

IMAGES = (random_pixels(), LABELS)


class Net(nn.Module):
    """Convolution, batch norm, dropout: what training mode changes."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.drop, self.linear = nn.Dropout(), nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> Any:
        features = torch.relu(self.norm(self.convolution(x))).mean((2, 3))
        return self.linear(self.drop(features))


class Wrapped(Net):
    def forward(self, x: torch.Tensor) -> Any:
        return {"logits": super().forward(x), "hidden": None}


class Score(Net):
    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x)[:, 0].sigmoid()


class Pair(Net):
    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x), None


class Centred(Net):
    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x - x.mean())


class Choosing(Net):
    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(1 - x if x.max() > 1.2 else x)


class Spectrum(Net):
    def forward(self, x: torch.Tensor) -> Any:
        return torch.linalg.eigvals(x[:, 0]).real[:, :4]


def certify(model: Model, log: Path, data: Any = IMAGES) -> Path:
    law = LatticeGaussian(0.25)
    job = Job(
        model=model,
        law=law,
        procedure=FixedCertify(0.25, 20, 200, 0.01, law.total_variation(model.spec.num_pixels)),
        seed=0,
        compute=Compute(backend="onnxruntime", batch=64, threads=1),
    )
    source = open_source(data, model.spec, model.num_classes)
    Certification(job, source, Selection(), log).run()
    return log


def logits(model: Model, images: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(model.path)).run(None, {"input": images.numpy()})[0]


@pytest.fixture(scope="module")
def module() -> nn.Module:
    """In training mode, but for a part."""
    module = lively(Net()).train()
    module.drop.eval()  # type: ignore[union-attr]
    return module


@pytest.fixture(scope="module")
def model(module: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMOOTHCERT_CACHE", str(tmp_path_factory.mktemp("models")))
        return open_module(module, None, SHAPE)


def test_a_module_is_the_model_that_it_is_in_eval_mode(module: nn.Module, model: Model) -> None:
    assert [part.training for part in module.modules()] == [True, True, True, False, True]
    assert (model.num_classes, model.spec, model.batch) == (4, InputSpec(*SHAPE), "N")
    assert model.describe()["arch"] == "Net"
    assert model.said == ("no preprocessing recorded: [0,1] pixels",)
    x = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = copy.deepcopy(module).eval()(x).numpy()
    assert np.allclose(logits(model, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_one_content_is_one_file_in_every_process(model: Model, tmp_path: Path) -> None:
    """Which is what makes its log one that can be resumed."""
    program = (
        "import test_module as t; print(t.open_module(t.lively(t.Net()), None, t.SHAPE).sha256)"
    )
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers"), *sys.path]
    again = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "7",
             "SMOOTHCERT_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert again.stdout.strip() == model.sha256
    assert model.path.name == f"Net-{model.sha256[:32]}.onnx"


def test_its_certificates_are_those_of_its_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = architecture("small_cnn", 4, (3, 16, 16)).eval()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "c.pth")
    report = export_checkpoint(
        tmp_path / "c.pth", tmp_path / "c.onnx", arch="small_cnn", num_classes=4,
        input_shape=(3, 16, 16), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3),
    )  # fmt: skip
    options = ModelOptions(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    opened = open_module(network, None, (3, 16, 16), options)
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.arange(6) % 4)
    held = certify(opened, tmp_path / "held.tsv", (images, np.arange(6) % 4))
    file = certify(open_model(report.path), tmp_path / "file.tsv", tmp_path / "images.npz")
    assert untimed(held) == untimed(file)


def test_its_log_is_audited_by_the_file_that_it_records(model: Model, tmp_path: Path) -> None:
    log = certify(model, tmp_path / "log.tsv")
    report = smoothcert.audit(log, IMAGES, rows=3, seed=0)
    assert (report.findings, report.repeated) == ([], 3)
    assert report.exact


def test_weights_are_copied_where_they_are_not_float32_on_the_cpu(model: Model) -> None:
    module = lively(Net()).double()
    opened = open_module(nn.DataParallel(module), None, SHAPE)
    assert opened.sha256 == model.sha256  # of another object, in another cache
    assert next(module.parameters()).dtype == torch.float64
    assert "its weights in float64 are taken as float32 numbers" in opened.said
    with torch.no_grad():
        module.linear.bias[0] += 1e-3  # type: ignore[union-attr,index,operator]
    assert open_module(module, None, SHAPE).sha256 != model.sha256


def test_logits_inside_an_object_and_one_number(model: Model) -> None:
    x = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(logits(open_module(lively(Wrapped()), 4, SHAPE), x), logits(model, x))
    score = lively(Score())
    opened = open_module(score, 2, SHAPE, ModelOptions(threshold=0.5))
    with torch.inference_mode():
        expected = score(x).numpy() - 0.5
    found = logits(opened, x)
    assert np.allclose(found[:, 1], expected, atol=1e-6)
    assert np.array_equal(found[:, 0], -found[:, 1])


def test_the_backend_torch_reads_the_file(model: Model) -> None:
    """So that an auditor, who has no module, runs the same network."""
    from smoothcert.engine.backends.device.torch_opening import open_torch_network

    assert model.module is None
    network = open_torch_network(model, 2, "fp32", "cpu")
    assert network.num_classes == 4


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (Pair, {}, "returns tuple for two images"),
        (Score, {}, "one number for an image.*threshold=T"),
        (Net, {"threshold": 0.5}, "threshold 0.5 is for one number"),
        (Net, {"layout": "nhwc"}, "layout nhwc is of an ONNX file"),
        (Net, {"interpolation": "bicubic"}, "no use for images that are not resized"),
        (Centred, {}, "takes one number of the whole batch"),
        (Choosing, {}, "chooses its way by the values of its images.*torch.where"),
        (Spectrum, {}, r"cannot be exported to ONNX.*Smooth\(module"),
    ],
)
def test_a_module_that_is_no_model_is_refused_in_one_line(
    make: Callable[[], nn.Module], options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    module = lively(make())
    with pytest.raises(InputError, match=words) as caught:
        open_module(module, None, SHAPE, ModelOptions(**options))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert not list(Path(os.environ["SMOOTHCERT_CACHE"]).rglob("*.onnx"))


def test_classes_and_shape_that_do_not_fit_are_refused(module: nn.Module) -> None:
    for wrapped in (module, torch.compile(module)):
        with pytest.raises(InputError, match=r"num_classes 5 does not fit the network Net.*4"):
            open_module(wrapped, 5, SHAPE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"does not accept images of shape \(1, 6, 6\)"):
        open_module(module, None, (1, 6, 6))
    with pytest.raises(InputError, match=r"model is a int: expected a path or a torch.nn.Module"):
        open_module(3, None, SHAPE)  # type: ignore[arg-type]
