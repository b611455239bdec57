"""Networks of Hugging Face folders, exported whole; skipped where the library is not installed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.checkpoint_export import export_checkpoint
from smoothcert.export.checkpoint_facts import Wishes
from smoothcert.export.checkpoint_opening import opened, state_digest

transformers = pytest.importorskip("transformers")

PREPROCESSING = {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 36},
                 "crop_size": {"height": 32, "width": 32}, "do_center_crop": True, "resample": 3,
                 "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]}  # fmt: skip

TINY: dict[str, dict[str, Any]] = {
    "ViT": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32, "image_size": 32, "patch_size": 8},
    "ConvNext": {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1], "image_size": 32},
    "ResNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1],
               "layer_type": "basic"},
    "Swin": {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [2, 2],
             "num_heads": [1, 2], "window_size": 4},
}  # fmt: skip


def saved(folder: Path, name: str = "ViT", **more: Any) -> Any:
    """A folder with a tiny network of random weights, and that network."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**TINY[name], num_labels=5)
    module = getattr(transformers, f"{name}ForImageClassification")(config).eval()
    module.save_pretrained(str(folder), **more)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))
    return module


@pytest.mark.parametrize(
    "name", ["ViT", "ConvNext", "ResNet", pytest.param("Swin", marks=pytest.mark.slow)]
)
def test_a_folder_is_a_model(name: str, tmp_path: Path) -> None:
    module, out = saved(tmp_path / "m", name), tmp_path / "m.onnx"
    report = export_checkpoint(tmp_path / "m", out)
    assert report.parity.disagreements == 0
    assert report.arch == f"hf:{name}ForImageClassification"
    model = open_onnx(out)
    assert model.num_classes == 5
    assert (model.spec.shape, model.spec.resize) == ((3, 32, 32), 36)
    assert (model.spec.mean, model.spec.interpolation) == ((0.5, 0.4, 0.3), "bicubic")
    images = torch.randn(3, 3, 32, 32)
    (logits,) = onnxruntime.InferenceSession(str(out)).run(None, {"input": images.numpy()})
    with torch.inference_mode():
        assert np.allclose(logits, module(images).logits.numpy(), rtol=1e-4, atol=1e-5)


def test_the_ways_to_name_it_give_one_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "m")
    names: list[tuple[Path | None, str | None]]
    names = [(Path("hf:m"), None), (Path("m"), None), (None, "hf:m")]
    first, *others = [opened(path, arch, Wishes()) for path, arch in names]
    for other in others:
        assert state_digest(other.module) == state_digest(first.module)
        assert replace(other, module=first.module) == first


@pytest.mark.slow
def test_a_folder_gives_one_file(tmp_path: Path) -> None:
    saved(tmp_path / "m", "ResNet")
    for name in ("a.onnx", "b.onnx"):
        export_checkpoint(tmp_path / "m", tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_weights_in_several_files_and_in_torchs_own(tmp_path: Path) -> None:
    saved(tmp_path / "whole")
    saved(tmp_path / "parts", max_shard_size="10KB")
    assert len(list((tmp_path / "parts").glob("model-*.safetensors"))) > 1
    module = saved(tmp_path / "torch")
    (tmp_path / "torch" / "model.safetensors").unlink()
    torch.save(module.state_dict(), tmp_path / "torch" / "pytorch_model.bin")
    found = [opened(tmp_path / name, None, Wishes()) for name in ("whole", "parts", "torch")]
    assert len({state_digest(each.module) for each in found}) == 1
    assert len({each.sha256 for each in found}) == 3  # of the files


def test_weights_that_would_be_random_are_refused(tmp_path: Path) -> None:
    """Such as a backbone alone under the configuration of a classifier."""
    module = saved(tmp_path / "m")
    state = {k: v for k, v in module.state_dict().items() if not k.startswith("classifier")}
    (tmp_path / "m" / "model.safetensors").unlink()
    torch.save(state, tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"2 missing \(classifier\.bias, classifier\.weight\)"):
        export_checkpoint(tmp_path / "m", tmp_path / "m.onnx")


def test_what_the_library_cannot_load_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "nothing"}))
    capfd.readouterr()
    with pytest.raises(InputError, match="cannot be loaded by transformers") as caught:
        export_checkpoint(tmp_path / "m", tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "options",
    [{"arch": "resnet18"}, {"weights": "model"}, {"ignore": ["x."]}, {"num_classes": 7}],
)
def test_options_that_contradict_it(options: dict[str, Any], tmp_path: Path) -> None:
    saved(tmp_path / "m")
    with pytest.raises(InputError, match="leave"):
        export_checkpoint(tmp_path / "m", tmp_path / "m.onnx", **options)
