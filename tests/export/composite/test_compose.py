"""A denoiser and a classifier as one network: its votes are theirs, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import denoisers
import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.models.row_independence.proof import prove
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose
from smoothcert.export.composite.classifier import input_of
from smoothcert.export.composite.compose import compose
from smoothcert.export.composite.options import DenoiserOptions
from smoothcert.export.composite.report import CompositeReport
from smoothcert.export.composite.schedule import schedule
from smoothcert.export.foreign.exporting import export_onnx
from smoothcert.export.foreign.options import NOTHING_SAID
from smoothcert.export.onnx_model import write_onnx
from smoothcert.export.precision.reduce import Reduction

SIGMA = 0.25
SPEC = InputSpec(3, 8, 8, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
CLASSES = 5

Denoise = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Classifier:
    module: nn.Module
    path: Path

    def of_pixels(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of [0, 1] pixels."""
        mean, std = (torch.tensor(v)[:, None, None] for v in (SPEC.mean, SPEC.std))
        logits: torch.Tensor = self.module((x - mean) / std)
        return logits


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(384, CLASSES)
        ).eval()
    path = tmp_path_factory.mktemp("classifier") / "classifier.onnx"
    write_onnx(module, SPEC, CLASSES, path, {"arch": "small", "checkpoint_sha256": "ab" * 32})
    return Classifier(module, path)


@pytest.fixture(scope="module")
def residual(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> CompositeReport:
    folder = tmp_path_factory.mktemp("composite")
    return composed(classifier, folder, denoiser="denoisers:residual")


@pytest.fixture(scope="module")
def denoiser_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same network as ONNX, for images of any size."""
    path = tmp_path_factory.mktemp("denoiser") / "residual.onnx"
    sides = {0: "batch", 2: "height", 3: "width"}
    with torch.inference_mode():
        torch.onnx.export(
            denoisers.residual().eval(), (torch.zeros(2, 3, 8, 8),), str(path),
            input_names=["x"], output_names=["y"], dynamic_axes={"x": sides, "y": sides},
            opset_version=17, dynamo=False,
        )  # fmt: skip
    return str(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return images_of(tmp_path, 8)


def images_of(folder: Path, side: int) -> Path:
    path = folder / "images.npz"
    images = np.random.default_rng(2).integers(0, 256, (3, side, side, 3)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(3))
    return path


def composed(classifier: Classifier, folder: Path, **options: Any) -> CompositeReport:
    """The composite; its votes in the check of its export are those of its parts."""
    asked = DenoiserOptions(**{"sigma": SIGMA, **options})
    report = compose(open_onnx(classifier.path), folder / "composite.onnx", asked)
    assert report.parity.disagreements == 0
    assert report.parity.samples == 256
    assert prove(report.path, report.model.spec.shape).verdict == "proven"
    return report


def votes(pipeline: Denoise, source: Path, image: int, seed: int, n: int) -> npt.NDArray[np.int64]:
    """How often torch gives each class to the rows of an image's estimation."""
    pixels = np.load(source)["images"][image].transpose(2, 0, 1).astype(np.int64)
    noise = LatticeGaussian(SIGMA).sample(seed, image, 0, n, pixels.size, Purpose.ESTIMATION)
    rows = (pixels + noise.reshape(n, *pixels.shape)) / 255
    with torch.inference_mode():
        logits = pipeline(torch.from_numpy(rows.astype(np.float32)))
    return np.bincount(logits.argmax(dim=1).numpy(), minlength=CLASSES)


def assert_certifies_as(
    pipeline: Denoise, report: CompositeReport, source: Path, folder: Path
) -> None:
    """Every count of a run is that of a pipeline in torch, and its audit finds nothing."""
    log = folder / "out.tsv"
    smoothcert.certify(
        report.path, source, out=log, sigma=SIGMA, n=400, batch=16, seed=5, backend="onnxruntime"
    ).run()
    found = smoothcert.read_log(log)
    assert found.count is not None
    counted = []
    for image, top, count in zip(found.idx, found.predict, found.count, strict=True):
        counts = votes(pipeline, source, int(image), seed=5, n=400)
        # An abstention counts the class that selection had chosen, which may be any.
        assert count in (counts if top == -1 else [counts[top]])
        counted.append(int(count))
    assert 400 not in counted  # it is not one class that always wins
    assert not smoothcert.audit(log, source, rows=3).findings


def test_a_run_with_a_denoiser_counts_as_torch_does(
    classifier: Classifier, residual: CompositeReport, source: Path, tmp_path: Path
) -> None:
    module = denoisers.residual().eval()
    assert_certifies_as(lambda x: classifier.of_pixels(module(x)), residual, source, tmp_path)
    run = read_manifest(tmp_path / "out.tsv")["run"]["model"]
    assert run["denoiser"]["name"] == "denoisers:residual"
    assert run["denoiser"]["sigma"] == SIGMA
    assert len(run["denoiser"]["sha256"]) == 64
    assert run["classifier"]["name"] == "classifier.onnx"
    assert run["classifier"]["sha256"] == open_onnx(classifier.path).sha256
    assert run["classifier"]["checkpoint_sha256"] == "ab" * 32
    assert (run["mean"], run["std"]) == ([], [])


@pytest.mark.parametrize("factory", ["epsilon", "learned_variance"])
def test_a_run_with_one_step_of_a_diffusion_model_counts_as_torch_does(
    classifier: Classifier, source: Path, tmp_path: Path, factory: str
) -> None:
    """Carlini et al. 2023: scale the noisy image to x_t, find the noise, solve for the image."""
    report = composed(classifier, tmp_path, denoiser=f"denoisers:{factory}", diffusion="cosine")
    module = getattr(denoisers, factory)().eval()
    alphas = schedule("cosine").alphas
    t = int(np.abs(np.sqrt((1 - alphas) / alphas) - 2 * SIGMA).argmin())
    a = float(alphas[t])

    def pipeline(x: torch.Tensor) -> torch.Tensor:
        x_t = a**0.5 * (2 * x - 1)
        noise = module(x_t, torch.full((len(x),), t))[:, :3]
        clean = (x_t - (1 - a) ** 0.5 * noise) / a**0.5
        return classifier.of_pixels((clean.clamp(-1, 1) + 1) / 2)

    assert_certifies_as(pipeline, report, source, tmp_path)
    assert report.model.metadata["denoiser"]["diffusion"]["timestep"] == t
    said = " ".join(report.said)
    assert f"timestep {t} of 1000" in said
    assert ("of its 6 channels the first 3 are taken" in said) == (factory == "learned_variance")


@pytest.mark.parametrize(("side", "interpolation"), [(12, "bicubic"), (6, "bilinear")])
def test_a_run_with_resizing_between_the_two_counts_as_torch_does(
    classifier: Classifier, denoiser_file: str, tmp_path: Path, side: int, interpolation: Any
) -> None:
    report = composed(
        classifier,
        tmp_path,
        denoiser=denoiser_file,
        shape=(3, side, side),
        range=(-1.0, 1.0),
        interpolation=interpolation,
    )
    module = denoisers.residual().eval()

    def pipeline(x: torch.Tensor) -> torch.Tensor:
        image = (module(2 * x - 1) + 1) / 2
        return classifier.of_pixels(F.interpolate(image, (8, 8), mode=interpolation))

    assert report.model.spec == InputSpec(3, side, side)
    assert_certifies_as(pipeline, report, images_of(tmp_path, side), tmp_path)
    assert f"{interpolation}, {side}x{side} to 8x8" in " ".join(report.said)


def test_a_denoiser_is_told_sigma_in_its_own_units(
    classifier: Classifier, source: Path, tmp_path: Path
) -> None:
    report = composed(classifier, tmp_path, denoiser="denoisers:blending", range=(-1.0, 1.0))
    module = denoisers.blending().eval()

    def pipeline(x: torch.Tensor) -> torch.Tensor:
        level = torch.full((len(x),), 2 * SIGMA)
        return classifier.of_pixels((module(2 * x - 1, level) + 1) / 2)

    assert_certifies_as(pipeline, report, source, tmp_path)
    assert report.model.metadata["denoiser"]["told"] == {"sigma": 2 * SIGMA}


def test_another_sigma_is_refused(
    classifier: Classifier, residual: CompositeReport, source: Path, tmp_path: Path
) -> None:
    path = residual.path
    for run in (smoothcert.certify, smoothcert.predict):
        with pytest.raises(InputError, match=r"expected --sigma 0\.25") as caught:
            run(path, source, out=tmp_path / "o.tsv", sigma=0.5, n=100)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "o.tsv").exists()
    with pytest.raises(InputError, match=r"expected --sigma 0\.25"):
        smoothcert.certify(
            classifier.path, source, out=tmp_path / "o.tsv", sigma=0.5, n=100, transfer_to=path
        ).run()
    with pytest.raises(InputError, match=r"expected --sigma 0\.25"):
        smoothcert.Smooth(path, CLASSES, 0.5).predict(np.zeros((3, 8, 8)), 10, 0.1, 8)
    assert smoothcert.Smooth(path, CLASSES, SIGMA, seed=1).predict(np.zeros((3, 8, 8)), 50, 0.1, 8)


def test_the_file_is_one_clean_reproducible_and_valid(
    classifier: Classifier, residual: CompositeReport, tmp_path: Path
) -> None:
    path = composed(classifier, tmp_path, denoiser="denoisers:residual").path
    content = path.read_bytes()
    assert residual.path.read_bytes() == content
    for private in (str(tmp_path), "site-packages", ".py"):
        assert private.encode() not in content
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert {name.split("/")[0] for name in names} == {"denoiser", "between", "classifier"}
    assert [p.name for p in tmp_path.iterdir()] == ["composite.onnx"]


@pytest.mark.parametrize(("precision", "zeta"), [("fp16", 0.01), ("int8", 0.1)])
def test_a_composite_is_reduced_as_any_model(
    classifier: Classifier, denoiser_file: str, tmp_path: Path, precision: Any, zeta: float
) -> None:
    source = images_of(tmp_path, 12)
    report = compose(
        open_onnx(classifier.path),
        tmp_path / "reduced.onnx",
        DenoiserOptions(denoiser_file, SIGMA, shape=(3, 12, 12)),
        reduction=Reduction(precision, str(source), SIGMA, images=3),
    )
    assert report.reduced is not None
    assert report.reduced.disagreement.zeta <= zeta
    assert report.model.precision == precision
    assert report.model.metadata["denoiser"]["sigma"] == SIGMA


def test_a_composite_is_reduced_for_its_own_sigma_alone(
    residual: CompositeReport, source: Path, tmp_path: Path
) -> None:
    for precision in ("fp16", "int8"):
        asked = Reduction(precision, str(source), 0.5, images=3)
        with pytest.raises(InputError, match=r"expected --sigma 0\.25"):
            export_onnx(residual.path, tmp_path / "o.onnx", NOTHING_SAID, asked)
    assert not (tmp_path / "o.onnx").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"denoiser": "denoisers:renoising"}, r"\(RandomNormalLike\).*one deterministic step"),
        (
            {"denoiser": "denoisers:centred"},
            r"denoisers:centred, node '\w+' \(ReduceMean\).*its neighbours",
        ),
        ({"denoiser": "denoisers:grey_residual", "shape": (1, 8, 8)}, "as many channels"),
        ({"denoiser": "denoisers:blending", "diffusion": "linear"}, "leave --diffusion out"),
        ({"denoiser": "denoisers:residual", "shape": (3, 8, 10)}, "sides of the same ratio"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    classifier: Classifier, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        composed(classifier, tmp_path, **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_classifier_that_has_a_denoiser_or_is_reduced_is_refused(
    classifier: Classifier, residual: CompositeReport, denoiser_file: str, tmp_path: Path
) -> None:
    options, again = DenoiserOptions(denoiser_file, SIGMA), tmp_path / "again.onnx"
    with pytest.raises(InputError, match="has a denoiser in front already"):
        compose(residual.model, again, options)
    half = compose(
        open_onnx(classifier.path), tmp_path / "h.onnx", options, reduction=Reduction("fp16")
    )
    plain = open_onnx(half.path)
    plain.metadata.pop("denoiser")
    with pytest.raises(InputError, match="is fp16: expected fp32"):
        compose(plain, again, options)
    assert not again.exists()


@pytest.mark.parametrize(("side", "resize"), [(128, 144), (136, 136), (32, None)])
def test_photographs_are_cut_to_the_denoisers_square(side: int, resize: int | None) -> None:
    """A classifier of photographs behind a denoiser of its own size, and of two others."""
    spec = InputSpec(3, 128, 128, (0.5,) * 3, (0.2,) * 3, resize=144, interpolation="bicubic")
    found = input_of((3, side, side), spec)
    assert found == InputSpec(3, side, side, resize=resize, interpolation="bicubic")


def test_a_classifier_that_mixes_images_is_named(denoiser_file: str, tmp_path: Path) -> None:
    class Centred(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3)) - x.mean(dim=(0, 2, 3))

    path = denoisers.write_denoiser(Centred(), tmp_path / "c.onnx", torch.zeros(2, 3, 8, 8))
    with pytest.raises(InputError, match=r"model c\.onnx, node .* \(ReduceMean\)"):
        compose(open_onnx(path), tmp_path / "o.onnx", DenoiserOptions(denoiser_file, SIGMA))
    assert not (tmp_path / "o.onnx").exists()
