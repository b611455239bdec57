"""From a checkpoint to a checked ONNX file: metadata, bytes, parity, refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.architectures import architecture
from smoothcert.export.checkpoint_export import ExportReport, export_checkpoint
from smoothcert.export.checkpoint_opening import state_digest
from smoothcert.export.opening import open_model


def saved(tmp_path: Path, name: str, shape: tuple[int, int, int], **facts: Any) -> Path:
    """A checkpoint with random weights whose batch norms are not the identity."""
    torch.manual_seed(1)
    module = architecture(name, 10, shape)
    module.train()
    with torch.no_grad():
        module(torch.randn(16, *shape))
    path = tmp_path / f"{name}.pth"
    torch.save({"state_dict": module.state_dict(), **facts}, path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    return saved(folder, "cifar_resnet20", (3, 32, 32), arch="cifar_resnet20")


@pytest.fixture(scope="module")
def original(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """That checkpoint, exported; the file lies alone in its folder."""
    return export_checkpoint(checkpoint, tmp_path_factory.mktemp("original") / "model.onnx")


def test_a_checkpoint_of_the_original(checkpoint: Path, original: ExportReport) -> None:
    report, out = original, original.path
    assert report.assumed == "dataset cifar10, as its architecture cifar_resnet20 implies"
    assert report.parity.samples == 256
    assert report.parity.disagreements == 0
    model = open_onnx(out)
    assert model.num_classes == 10
    assert model.spec.mean == (0.4914, 0.4822, 0.4465)
    assert model.batch == "N"
    assert model.metadata["checkpoint_sha256"] == file_digest(checkpoint)
    assert model.metadata["arch"] == "cifar_resnet20"


def test_the_file_is_whole_folded_clean_and_reproducible(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, "small_cnn", (3, 32, 32), arch="small_cnn", dataset="cifar10")
    first, second = tmp_path / "a.onnx", tmp_path / "b.onnx"
    export_checkpoint(checkpoint, first)
    export_checkpoint(checkpoint, second)
    assert first.read_bytes() == second.read_bytes()
    model = onnx.load(str(first))
    onnx.checker.check_model(model, full_check=True)
    kinds = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in kinds
    assert not any(t.external_data for t in model.graph.initializer)
    content = first.read_bytes()
    for private in (str(tmp_path), str(Path(__file__).parents[2]), "site-packages", ".py"):
        assert private.encode() not in content
    (prop,) = model.metadata_props
    assert prop.key == METADATA_KEY
    assert json.loads(prop.value)["input_shape"] == [3, 32, 32]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.onnx", "b.onnx", checkpoint.name]


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_any_batch_gives_the_logits_of_torch(
    checkpoint: Path, original: ExportReport, batch: int
) -> None:
    module = architecture("cifar_resnet20", 10, (3, 32, 32)).eval()
    module.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    x = torch.randn(batch, 3, 32, 32)
    session = onnxruntime.InferenceSession(str(original.path))
    (logits,) = session.run(None, {"input": x.numpy()})
    with torch.inference_mode():
        assert np.allclose(logits, module(x).numpy(), rtol=1e-4, atol=1e-4)


def test_options_override_what_is_implied(tmp_path: Path) -> None:
    path = saved(tmp_path, "small_cnn", (3, 24, 24), arch="small_cnn", dataset="cifar10")
    out = tmp_path / "model.onnx"
    spec = export_checkpoint(
        path, out, input_shape=(3, 24, 24), mean=(0.5,) * 3, std=(0.25,) * 3, resize=48,
        interpolation="bicubic",
    ).spec  # fmt: skip
    assert spec == open_onnx(out).spec
    assert (spec.height, spec.mean, spec.resize, spec.interpolation) == (
        24, (0.5,) * 3, 48, "bicubic",
    )  # fmt: skip


def test_a_checkpoint_that_says_all_is_a_model(tmp_path: Path) -> None:
    """`certify` takes it as MODEL; its export is made once, in the cache."""
    path = saved(tmp_path, "small_cnn", (1, 28, 28), arch="small_cnn", dataset="fashion-mnist")
    model = open_model(path)
    assert model.spec.shape == (1, 28, 28)
    made = model.path.stat().st_mtime_ns
    assert open_model(path).path.stat().st_mtime_ns == made


@pytest.mark.parametrize(
    ("facts", "options", "words"),
    [
        ({}, {}, "those of small_cnn: --arch small_cnn"),
        ({"arch": "os:abort"}, {}, "code that no file chooses"),
        ({"arch": "small_cnn", "input_shape": "abc"}, {}, "three numbers C, H, W"),
        ({"arch": "small_cnn", "input_shape": [1, 28, 28], "num_classes": 10**9}, {}, "classes"),
        ({"arch": "small_cnn"}, {}, "--dataset or --input-shape"),
        ({"arch": "small_cnn"}, {"dataset": "martian"}, "expected cifar10"),
        ({"arch": "small_cnn"}, {"input_shape": (1, 14, 14)}, "does not fit"),
        ({"arch": "small_cnn", "dataset": "mnist"}, {"num_classes": 3}, "does not fit"),
        ({"arch": "small_cnn", "dataset": "mnist"}, {"mean": (0.5, 0.5)}, "one per channel"),
        ({"arch": "cifar_resnet20", "dataset": "mnist"}, {}, "does not fit architecture"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    tmp_path: Path, facts: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    path = saved(tmp_path, "small_cnn", (1, 28, 28), **facts)
    out = tmp_path / "model.onnx"
    with pytest.raises(InputError, match=words) as caught:
        export_checkpoint(path, out, **options)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_exported_votes_do_not_depend_on_the_batch(original: ExportReport) -> None:
    """Bitwise equal logits at every batch size and row order: what makes the log exact."""
    from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork

    model = open_onnx(original.path)
    inputs = np.random.default_rng(0).normal(size=(64, 3072)).astype(np.float32)
    whole = OnnxRuntimeNetwork(model, 64)
    whole.inputs[:] = inputs
    expected = whole.run().copy()
    order = np.random.default_rng(1).permutation(64)
    whole.inputs[:] = inputs[order]
    assert np.array_equal(whole.run(), expected[order])
    for batch, threads in ((1, 2), (7, 2), (64, 1), (100, 2)):
        network = OnnxRuntimeNetwork(model, batch, threads)
        for start in range(0, 64, batch):
            rows = inputs[start : start + batch]
            network.inputs[: len(rows)] = rows
            assert np.array_equal(network.run()[: len(rows)], expected[start : start + batch])


class OverTheBatch(torch.nn.Module):
    """Scores of an image among its batch."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(192, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.linear(x.flatten(1))
        return scores - scores.mean(dim=0)


def test_an_architecture_that_mixes_images_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    path, output = tmp_path / "mixing.pth", tmp_path / "mixing.onnx"
    torch.save({"state_dict": OverTheBatch(5).state_dict()}, path)
    with pytest.raises(InputError, match=r"\(ReduceMean\).*no certificate would hold"):
        export_checkpoint(
            path,
            output,
            arch=f"{Path(__file__).stem}:OverTheBatch",
            num_classes=5,
            input_shape=(3, 8, 8),
        )
    assert not output.exists()


class Trained(torch.nn.Module):
    """A factory's network: the same weights every time, or all zero."""

    def __init__(self, scale: float = 1) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(192, 5)
        with torch.no_grad():
            self.linear.weight.copy_(torch.linspace(-scale, scale, 960).reshape(5, 192))
            self.linear.bias.fill_(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.linear(x.flatten(1))
        return scores


class InAnObject(Trained):
    """Logits in a dict, as some libraries return them."""

    def forward(self, x: torch.Tensor) -> Any:
        return {"logits": super().forward(x)}


class FixedBatch(Trained):
    """A forward() that was written for two images."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.reshape(2, -1))


def untrained() -> torch.nn.Module:
    return Trained(0)


def exported(tmp_path: Path, path: Path | None, arch: str, **options: Any) -> ExportReport:
    name = f"{Path(__file__).stem}:{arch}"
    return export_checkpoint(path, tmp_path / "m.onnx", arch=name, input_shape=(3, 8, 8), **options)


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize("arch", ["Trained", "InAnObject"])
def test_a_factory_without_a_checkpoint(arch: str, tmp_path: Path) -> None:
    first = exported(tmp_path, None, arch)
    content = (tmp_path / "m.onnx").read_bytes()
    assert first.num_classes == 5
    assert first.parity.disagreements == 0
    assert first.said[0] == f"weights as {Path(__file__).stem}:{arch} returns them"
    assert first.said[1].startswith("no preprocessing recorded: [0,1] pixels")
    assert open_onnx(tmp_path / "m.onnx").metadata["checkpoint_sha256"] == first.checkpoint_sha256
    again = exported(tmp_path, None, arch, input_range=(0, 1), mean=None)
    assert len(again.said) == 1
    exported(tmp_path, None, arch)
    assert (tmp_path / "m.onnx").read_bytes() == content


@pytest.mark.usefixtures("factories")
def test_the_digest_of_a_factory_is_that_of_its_weights(tmp_path: Path) -> None:
    digests = [
        exported(tmp_path, None, arch).checkpoint_sha256 for arch in ("Trained", "untrained")
    ]
    assert digests[0] != digests[1]
    assert state_digest(Trained().bfloat16()) != state_digest(Trained())


@pytest.mark.usefixtures("factories")
def test_weights_that_make_all_images_one_are_warned_of(tmp_path: Path) -> None:
    (warning,) = exported(tmp_path, None, "untrained").warnings
    assert "the same for all 8 images" in warning
    assert exported(tmp_path, None, "Trained").warnings == ()


class Counting(Trained):
    """Every call is another function."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(x) * (1 + self.calls % 3)


def ending() -> torch.nn.Module:
    raise SystemExit(0)


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("arch", "options", "words"),
    [
        ("Counting", {}, "returns other logits when it is run again"),
        ("ending", {}, r"cannot be made \(SystemExit"),
        ("Trained", {"num_classes": 1}, "^the network .*:Trained has 1 output per image"),
        ("Trained", {"resize": 10**9}, "resize 1000000000 is out of range"),
    ],
)
def test_what_is_no_classifier_is_refused_in_one_line(
    arch: str, options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        exported(tmp_path, None, arch, **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.onnx").exists()


def infinite() -> torch.nn.Module:
    return Trained(3e38)


@pytest.mark.usefixtures("factories")
def test_logits_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="logits of images that are not finite"):
        exported(tmp_path, None, "infinite", input_range=(-99, 99))
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.usefixtures("factories")
def test_a_network_of_fixed_batches_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        exported(tmp_path, None, "FixedBatch")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("arch", [None, "resnet18", "timm:resnet18", "torchvision:resnet18"])
def test_an_architecture_alone_has_no_weights(arch: str | None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pkg\.module:factory"):
        export_checkpoint(None, tmp_path / "m.onnx", arch=arch)


@pytest.mark.usefixtures("factories")
def test_what_was_inferred_is_in_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    state = {f"net.{name}": value for name, value in Trained().state_dict().items()}
    torch.save({"best": {**state, "loss.w": torch.ones(2)}}, path)
    report = exported(tmp_path, path, "Trained", ignore=["loss."], mean=(0.5,) * 3)
    assert [line.split()[0] for line in report.said] == ["weights", "prefix", "ignored"]
    assert open_onnx(tmp_path / "m.onnx").metadata["inferred"] == {
        "weights": "best", "names": "prefix net. removed", "ignored": ["loss."],
    }  # fmt: skip


def test_nothing_is_inferred_of_a_checkpoint_of_the_original(original: ExportReport) -> None:
    assert (original.said, original.warnings) == ((), ())
    assert not {"inferred", "exporter"} & set(open_onnx(original.path).metadata)
