"""preprocessor_config.json as our input: the same pixels, or a line that names the difference.

Ours is one way to see a photograph: its shorter side is resized, its centre is cropped, and pixels
are normalised per channel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS, InputSpec
from smoothcert.engine.base.ranges import INPUT_END
from smoothcert.export.checkpoint_facts import Facts, Wishes, input_spec
from smoothcert.export.huggingface.model_folder import LEAST_PART, Folder

_SQUASHING = ("BEiT", "Beit", "DeiT", "ViT", "Siglip", "Pvt")
_SHORTER_SIDE = ("Bit", "CLIP", "MobileNetV1", "MobileNetV2", "MobileViT", "ConvNext", "ConvNeXT",
                 "Levit")  # fmt: skip
_CROPPING = ("Bit", "CLIP", "DeiT", "MobileNetV1", "MobileNetV2", "MobileViT", "Levit")
"""What a size that is one number means, and whether photographs are cropped, by the processor's
name: where its file does not say."""

_ENDINGS = ("FeatureExtractor", "ImageProcessorFast", "ImageProcessorPil", "ImageProcessor")
_RESAMPLING = {2: "bilinear", 3: "bicubic"}
_REFUSED = {
    "do_pad": "pads photographs",
    "do_flip_channel_order": "swaps red and blue",
    "do_color_quantize": "quantises colours",
    "do_thumbnail": "makes thumbnails",
    "rescale_offset": "shifts pixels after scaling them",
}
_CONVNEXT_SQUASHES_FROM = 384
_CONVNEXT_PART = 224 / 256
_LEVIT_PART = 224 / 256
_FACTORS = (1e-9, 1e9)


@dataclass(frozen=True)
class _Geometry:
    """height and width that the network gets; the shorter side before the crop, None where
    photographs are not resized; what is done that ours cannot do, "" where nothing is; whether a
    square photograph is none the less seen as by ours."""

    height: int
    width: int
    resize: int | None
    other: str = ""
    square: bool = False


def spec_of(folder: Folder, wishes: Wishes) -> InputSpec:
    """The input of a folder's network. Options overrule its preprocessing.

    Raises InputError where it is not what our input can say and no option decides.
    """
    name = f"hf:{folder.path}"
    channels = _number(folder.config.get("num_channels")) or 3
    entries = folder.preprocessing
    told = wishes.resize is not None and wishes.normalisation(channels)[0] is not None
    if entries is None or (_kind(entries) is None and told):
        if not told and (entries is None and wishes.normalisation(channels)[0] is None):
            raise InputError(
                f"{name} has no preprocessor_config.json: expected one; give --mean and --std, or "
                "--input-range, and --resize"
            )
        size = _sides(folder.config.get("image_size"))
        shape = {"input_shape": [channels, *size]} if size else {}
        return input_spec(Facts(name, shape), None, wishes)
    kind = _kind(entries)
    if kind is None:
        raise InputError(
            f"{name} prepares images with {_type(entries)}, which is not known here: give "
            "--resize, --interpolation, and --mean with --std"
        )
    for key, does in _REFUSED.items():
        if entries.get(key):
            raise InputError(
                f"{name} {does} ({key} in preprocessor_config.json), which our input cannot say: "
                "export it to ONNX with that inside"
            )
    geometry = _geometry(name, kind, entries, folder.config)
    if geometry.other and wishes.resize is None:
        side = geometry.resize or max(geometry.height, geometry.width)
        raise InputError(
            f"{name} {geometry.other}, and here the shorter side is resized and the centre "
            f"cropped: give --resize {side} to do that instead"
            + (" (the same for square photographs)" if geometry.square else "")
        )
    facts: dict[str, Any] = {
        "input_shape": [channels, geometry.height, geometry.width],
        "resize": geometry.resize,
        **_scale(name, entries, channels, wishes),
    }
    if geometry.resize is not None and wishes.interpolation is None:
        facts["interpolation"] = _interpolation(name, entries)
    return input_spec(Facts(name, facts), None, wishes)


def _type(entries: Mapping[str, Any]) -> str:
    return str(entries.get("image_processor_type") or entries.get("feature_extractor_type") or "")


def _kind(entries: Mapping[str, Any]) -> str | None:
    """The processor's name without its ending; None for one that is not known here."""
    name = _type(entries)
    for ending in _ENDINGS:
        if name.endswith(ending):
            name = name.removesuffix(ending)
            break
    return name if name in ("", *_SQUASHING, *_SHORTER_SIDE) else None


def _geometry(
    name: str, kind: str, entries: Mapping[str, Any], config: Mapping[str, Any]
) -> _Geometry:
    crops = bool(entries.get("do_center_crop", kind in _CROPPING))
    if not entries.get("do_resize", True):
        sides = _sides(entries.get("crop_size")) if crops else _sides(config.get("image_size"))
        if sides is None:
            raise _unread(name, "crop_size" if crops else "image_size")
        return _Geometry(*sides, None, "crops photographs without resizing them" if crops else "")
    size = entries.get("size")
    shorter = _shorter_side(size, kind)
    if kind in ("ConvNext", "ConvNeXT"):
        if shorter is None:
            raise _unread(name, "size")
        return _of_convnext(name, shorter, entries)
    if shorter is None:
        sides = _sides(size)
        if sides is None or (isinstance(size, int) and kind not in _SQUASHING):
            raise _unread(name, "size")
        final = _sides(entries.get("crop_size")) if crops else sides
        if final is None:
            raise _unread(name, "crop_size")
        other = f"squashes a photograph to {sides[0]}x{sides[1]}, whatever its sides"
        return _Geometry(*final, min(sides), other, square=sides[0] == sides[1])
    if kind == "Levit":
        shorter = int(shorter / _LEVIT_PART)
    final = _sides(entries.get("crop_size")) if crops else (shorter, shorter)
    if final is None:
        raise _unread(name, "crop_size")
    other = "" if crops else f"resizes the shorter side to {shorter} and crops nothing"
    if max(final) > shorter:
        other = f"pads photographs of shorter side {shorter} to {final[0]}x{final[1]}"
    return _Geometry(*final, max(shorter, *final), other, square=not crops)


def _of_convnext(name: str, side: int, entries: Mapping[str, Any]) -> _Geometry:
    if side >= _CONVNEXT_SQUASHES_FROM:
        other = f"squashes a photograph to {side}x{side}, whatever its sides"
        return _Geometry(side, side, side, other, square=True)
    part = entries.get("crop_pct")
    part = _CONVNEXT_PART if part is None else part
    if not isinstance(part, int | float) or not LEAST_PART <= part <= 1:
        raise _unread(name, "crop_pct")
    return _Geometry(side, side, int(side / part))


def _shorter_side(size: Any, kind: str) -> int | None:
    """The shorter side that photographs are resized to, None where both sides are given."""
    if isinstance(size, Mapping):
        known = {key for key, value in size.items() if value is not None}
        return _number(size["shortest_edge"]) if known == {"shortest_edge"} else None
    return _number(size) if kind in _SHORTER_SIDE else None


def _sides(size: Any) -> tuple[int, int] | None:
    """Height and width, from the forms that they are written in; None for any other."""
    if isinstance(size, Mapping):
        pair = [size.get("height"), size.get("width")]
    elif isinstance(size, list | tuple) and len(size) == 2:
        pair = list(size)
    else:
        pair = [size, size]
    height, width = map(_number, pair)
    return None if height is None or width is None else (height, width)


def _scale(
    name: str, entries: Mapping[str, Any], channels: int, wishes: Wishes
) -> dict[str, list[float]]:
    """mean and std of [0, 1] pixels, from the rescaling and the normalisation after it."""
    if wishes.normalisation(channels)[0] is not None:
        return {}
    factor = entries.get("rescale_factor", 1 / LEVELS) if entries.get("do_rescale", True) else 1.0
    if not isinstance(factor, int | float) or not _FACTORS[0] <= factor <= _FACTORS[1]:
        raise _unread(name, "rescale_factor")
    reach = LEVELS * factor
    reach = 1.0 if abs(reach - 1) < 1e-9 else reach
    if not entries.get("do_normalize", True):
        return {} if reach == 1 else {"mean": [0.0] * channels, "std": [1 / reach] * channels}
    facts = {}
    for key in ("mean", "std"):
        value = entries.get(f"image_{key}")
        values = [value] * channels if isinstance(value, int | float) else value
        if not isinstance(values, list) or not all(map(INPUT_END.holds, values)):
            raise _unread(name, f"image_{key}")
        facts[key] = [number / reach for number in values]
    return facts


def _interpolation(name: str, entries: Mapping[str, Any]) -> str:
    found = _RESAMPLING.get(entries.get("resample", -1))
    if found is None:
        raise InputError(
            f"{name} resizes with resample {entries.get('resample')}: expected 2 (bilinear) or 3 "
            "(bicubic); give --interpolation"
        )
    return found


def _number(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return int(value) if whole else None


def _unread(name: str, key: str) -> InputError:
    return InputError(
        f"{name} has no {key} that is known here in its preprocessor_config.json: give "
        "--input-shape, --resize, --interpolation, and --mean with --std"
    )
