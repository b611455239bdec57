"""preprocessor_config.json as our input: the pixels that the library itself makes, or a refusal."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.photograph import decode
from smoothcert.export.checkpoint_facts import Wishes
from smoothcert.export.huggingface.model_folder import Folder
from smoothcert.export.huggingface.preprocessing import spec_of

HALF = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3], "do_normalize": True}
CROPPED = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32},
           "do_center_crop": True, "resample": 3}  # fmt: skip
CONVNEXT = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32},
            "crop_pct": 0.875, "resample": 3}  # fmt: skip
SQUASHED = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32},
            "resample": 2}  # fmt: skip


def spec(entries: dict[str, Any] | None, wishes: Wishes | None = None, **config: Any) -> InputSpec:
    folder = Folder(Path("m"), config, entries, "ViTForImageClassification", ())
    return spec_of(folder, wishes or Wishes())


@pytest.mark.parametrize(
    ("entries", "shape", "resize", "interpolation"),
    [
        (CROPPED, (3, 32, 32), 36, "bicubic"),
        ({**CROPPED, "crop_size": 32, "resample": 2}, (3, 32, 32), 36, "bilinear"),
        ({**CROPPED, "crop_size": {"height": 32, "width": 24}}, (3, 32, 24), 36, "bicubic"),
        ({"feature_extractor_type": "CLIPFeatureExtractor", "size": 36, "crop_size": 32,
          "resample": 3}, (3, 32, 32), 36, "bicubic"),
        (CONVNEXT, (3, 32, 32), 36, "bicubic"),
        ({**CONVNEXT, "size": 224}, (3, 224, 224), 256, "bicubic"),
        ({**CONVNEXT, "crop_pct": 0.95}, (3, 32, 32), 33, "bicubic"),
        ({"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 224},
          "crop_size": {"height": 224, "width": 224}, "resample": 3},
         (3, 224, 224), 256, "bicubic"),
        ({**CROPPED, "image_processor_type": "BitImageProcessorFast"}, (3, 32, 32), 36, "bicubic"),
    ],
)  # fmt: skip
def test_a_resize_and_a_crop(
    entries: dict[str, Any], shape: tuple[int, ...], resize: int, interpolation: str
) -> None:
    found = spec({**HALF, **entries})
    assert (found.shape, found.resize, found.interpolation) == (shape, resize, interpolation)
    assert (found.mean, found.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


@pytest.mark.parametrize(
    ("entries", "mean", "std"),
    [
        ({"rescale_factor": 1 / 255}, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)),
        ({"rescale_factor": 2 / 255}, (0.25, 0.2, 0.15), (0.1, 0.125, 0.15)),
        ({"do_rescale": False, "image_mean": 127.5, "image_std": 127.5}, (0.5,) * 3, (0.5,) * 3),
        ({"do_normalize": False}, (), ()),
        ({"do_normalize": False, "do_rescale": False}, (0,) * 3, (1 / 255,) * 3),
    ],
)
def test_scale(entries: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    found = spec({**HALF, **CROPPED, **entries})
    assert found.mean == pytest.approx(mean)
    assert found.std == pytest.approx(std)


def test_images_that_are_not_resized() -> None:
    found = spec({**HALF, "do_resize": False}, image_size=32)
    assert (found.shape, found.resize) == ((3, 32, 32), None)


@pytest.mark.parametrize(
    ("entries", "side", "words"),
    [
        (SQUASHED, 32, "squashes a photograph to 32x32"),
        ({"feature_extractor_type": "ViTFeatureExtractor", "size": 32, "resample": 2}, 32,
         "squashes"),
        ({**SQUASHED, "image_processor_type": "DeiTImageProcessor", "crop_size": 28,
          "size": {"height": 32, "width": 32}}, 32, "squashes"),
        ({**CONVNEXT, "size": {"shortest_edge": 384}}, 384, "squashes a photograph to 384x384"),
        ({"size": {"shortest_edge": 32}, "resample": 2}, 32, "crops nothing"),
        ({**CROPPED, "size": {"shortest_edge": 28}}, 32, "pads photographs"),
        ({**CROPPED, "do_resize": False}, 32, "without resizing"),
    ],
)  # fmt: skip
def test_what_ours_cannot_do_is_refused_and_resize_decides(
    entries: dict[str, Any], side: int, words: str
) -> None:
    with pytest.raises(InputError, match=f"{words}.*--resize {side}"):
        spec({**HALF, **entries})
    assert spec({**HALF, **entries}, Wishes(resize=400, interpolation="bicubic")).resize == 400


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({**CROPPED, "do_pad": True}, "pads"),
        ({**CROPPED, "do_flip_channel_order": True}, "red and blue"),
        ({**CROPPED, "rescale_offset": True}, "shifts pixels"),
        ({**CROPPED, "image_processor_type": "ImageGPTImageProcessor"}, "ImageGPTImageProcessor"),
        ({**CROPPED, "resample": 1}, "resample 1"),
        ({"size": CROPPED["size"], "crop_size": 32, "do_center_crop": True}, "resample None"),
        ({**CROPPED, "size": {"shortest_edge": 36, "longest_edge": 99}}, "no size"),
        ({**CROPPED, "size": "large"}, "no size"),
        ({**CROPPED, "size": None}, "no size"),
        ({"size": 32, "resample": 2}, "no size"),  # of no processor that is named
        ({**CROPPED, "crop_size": {"height": 32}}, "no crop_size"),
        ({**CONVNEXT, "crop_pct": 0}, "no crop_pct"),
        ({**CROPPED, "rescale_factor": "x"}, "no rescale_factor"),
        ({**CROPPED, "image_mean": None}, "no image_mean"),
        ({**CROPPED, "image_std": [0.5]}, "std has 1 values"),
        (None, r"no preprocessor_config\.json"),
    ],
)
def test_what_is_not_known_is_refused(entries: dict[str, Any] | None, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        spec(entries and {**HALF, **entries}, image_size=32)
    assert "\n" not in str(caught.value)


def test_options_take_the_place_of_a_file() -> None:
    wishes = Wishes(input_range=(-1, 1), resize=36)
    for entries in (None, {"image_processor_type": "ImageGPTImageProcessor"}):
        found = spec(entries, wishes, image_size=[32, 32], num_channels=3)
        assert (found.shape, found.resize, found.mean) == ((3, 32, 32), 36, (0.5,) * 3)


@pytest.mark.parametrize("name", ["CLIP", "ConvNext", "ViT"])
@pytest.mark.parametrize("size", [(50, 40), (40, 60), (48, 48)], ids=str)
def test_the_pixels_are_the_librarys(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    kinds = {
        "CLIP": ("CLIPImageProcessor", CROPPED),
        "ConvNext": ("ConvNextImageProcessor", {**CONVNEXT}),
        "ViT": ("ViTImageProcessor", SQUASHED),
    }
    processor, more = kinds[name]
    entries: dict[str, Any] = {**HALF, **more, "image_processor_type": processor,
                               "do_rescale": True, "rescale_factor": 1 / 255}  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(entries))
    theirs = getattr(transformers, processor).from_pretrained(str(tmp_path))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    if name == "ViT" and size[0] != size[1]:
        return
    found = spec(entries, Wishes(resize=32) if name == "ViT" else None)
    expected = np.asarray(theirs(image, return_tensors="np")["pixel_values"][0])
    assert np.abs(pixels(image, found) - expected).max() < 1e-5


def pixels(image: Image.Image, found: InputSpec) -> npt.NDArray[np.float64]:
    """What the network gets of a photograph, without noise."""
    file = io.BytesIO()
    image.save(file, "PNG")
    levels = decode(file.getvalue(), "x.png", found)
    scale, shift = found.affine()
    return np.asarray(levels * scale[:, None, None] + shift[:, None, None], dtype=np.float64)
