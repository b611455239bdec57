"""What a foreign model's input is: layout, sides, number type, and how pixels become it."""

import math
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS, InputSpec, Scalar
from smoothcert.engine.models.model import check_batch
from smoothcert.engine.models.onnx_graph import GraphValue
from smoothcert.export.foreign.options import PIXELS, ModelOptions, spelled

Arrangement = Literal["nchw", "nhwc", "nhw", "rows", "rows nhwc"]
"""How a batch of images lies in the input: of `nhw` (grey) and `rows` (all pixels in one row) the
channels have no side of their own."""

_FLOATS = ("float32", "float16", "bfloat16", "float64")
_CLAMPED = ("uint8",)
_WHOLE = ("int16", "int32", "int64")
_CHANNELS = (1, 3)
_RANK = 4
_Sides = list[int | str | None]


class OpenSidesError(InputError):
    """A model leaves open what size of image it takes, and no option says it.

    fixed  C, H, W; None where it is open
    """

    def __init__(self, path: Path, value: GraphValue, fixed: list[int | None]) -> None:
        self.path, self.value, self.fixed = path, value, fixed
        super().__init__(self._line(f"C,H,W (such as {_example(fixed)})"))

    def proposing(self, shape: tuple[int, int, int]) -> "InputError":
        """The same, where the images at hand are all of one shape, if that fits."""
        if any(side not in (None, own) for side, own in zip(self.fixed, shape, strict=True)):
            return self
        return InputError(self._line(f"{','.join(map(str, shape))}, as these images are"))

    def _line(self, shape: str) -> str:
        return (
            f"model {self.path} takes {self.value}, which leaves sides open: expected images of "
            f"one size; give it as --input-shape {shape}"
        )


@dataclass(frozen=True)
class InputReading:
    """A foreign model's input, read.

    name         of the tensor
    number_type  of its numbers, by numpy's name
    arrangement  of a batch of images in it
    spec         of the canonical input, NCHW, that an adapted file has
    batch        the fixed size of its first side, or None
    adapted      what was inferred or changed, for a manifest
    said         the same in sentences
    """

    name: str
    number_type: str
    arrangement: Arrangement
    spec: InputSpec
    batch: int | None
    adapted: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    @property
    def canonical_type(self) -> Scalar:
        """What the input of the adapted file is made of: halves stay what they are."""
        return "float16" if self.number_type == "float16" else (
            "bfloat16" if self.number_type == "bfloat16" else "float32"
        )  # fmt: skip

    @property
    def clamped(self) -> bool:
        """Whether noisy pixels are clamped to 0..255, since its numbers hold no others."""
        return self.number_type in _CLAMPED

    @property
    def given_shape(self) -> tuple[int, ...]:
        """The sides of its input beside the batch, as the file has them."""
        channels, height, width = self.spec.shape
        return {
            "nchw": (channels, height, width),
            "nhwc": (height, width, channels),
            "nhw": (height, width),
            "rows": (channels * height * width,),
            "rows nhwc": (channels * height * width,),
        }[self.arrangement]


def read_input(path: Path, value: GraphValue, options: ModelOptions) -> InputReading:
    """Read the input `value` of the model at `path`.

    Raises InputError where it is no batch of images, or where more than one reading fits and no
    option decides.
    """
    _check_numbers(path, value)
    sides = value.shape or [None] * _RANK  # a file that says no shape leaves all of it open
    arrangement, shape = _arranged(path, value, sides, options)
    spec, preprocessing = _spec(path, value, shape, options)
    batch = sides[0] if isinstance(sides[0], int) else None
    if batch is not None:
        check_batch(f"model {path}", batch, spec)
    adapted: dict[str, Any] = {}
    said = []
    if arrangement != "nchw":
        adapted["layout"] = arrangement
        said.append(_arrangement_said(value, arrangement, options))
    if value.made_of not in ("float32", "float16", "bfloat16"):
        adapted["input_type"] = value.made_of
        said.append(f"input {value}: pixels 0..255 as they are" if value.made_of != "float64"
                    else f"input {value}: the pixels' float32 numbers")  # fmt: skip
    if value.made_of in _CLAMPED:
        adapted["clamped"] = list(map(int, PIXELS))
        said[-1] += (
            ", noisy ones clamped to that range before the cast: what is certified is the model "
            "behind that clamp"
        )
    if any(side != own for side, own in zip_longest(value.shape[1:], _given(arrangement, shape))):
        adapted["input_shape"] = list(shape)
    said += preprocessing
    return InputReading(value.name, value.made_of, arrangement, spec, batch, adapted, tuple(said))


def _given(arrangement: Arrangement, shape: tuple[int, int, int]) -> tuple[int, ...]:
    return InputReading("", "", arrangement, InputSpec(*shape), None).given_shape


def _arrangement_said(value: GraphValue, arrangement: Arrangement, options: ModelOptions) -> str:
    told = {
        "nhwc": "channels last",
        "nhw": "grey images, without a side for channels",
        "rows": "all pixels of an image in one row, channels first",
        "rows nhwc": "all pixels of an image in one row, channels last",
    }[arrangement]
    given = options.layout is not None and arrangement != "nhw"
    return f"input {value}: {told}" + (f", as --layout {options.layout} says" if given else "")


def _check_numbers(path: Path, value: GraphValue) -> None:
    kind = value.made_of
    if kind in (*_FLOATS, *_CLAMPED, *_WHOLE):
        return
    reason = {
        "int8": "pixels 0..255 do not fit, and what they are shifted by is not recorded",
        "uint16": "which may be pixels 0..255 or 0..65535, and holds no negative noise",
        "uint32": "which holds no negative noise",
        "uint64": "which holds no negative noise",
        "string": "as encoded images are: decode them outside of the model",
    }.get(kind, "which is no number that pixels become")
    raise InputError(
        f"model {path} takes {value}: {kind}, {reason}; expected float32 or uint8 images; export "
        "it again"
    )


def _arranged(
    path: Path, value: GraphValue, sides: _Sides, options: ModelOptions
) -> tuple[Arrangement, tuple[int, int, int]]:
    """How images lie in an input of these sides, and their C, H, W."""
    rank = len(sides)
    if rank == _RANK - 1:
        return _grey(path, value, sides, options)
    if rank == 2:
        return _rows(path, value, sides, options)
    if rank != _RANK:
        raise InputError(
            f"model {path} takes {value}: expected a batch of images, [N, C, H, W] or [N, H, W, C]"
        )
    layout = options.layout or _layout(path, value, sides, options)
    own = sides[1:] if layout == "nchw" else [sides[3], sides[1], sides[2]]
    return layout, _sides(path, value, own, options)


def _layout(
    path: Path, value: GraphValue, sides: _Sides, options: ModelOptions
) -> Literal["nchw", "nhwc"]:
    """By the side that is 1 or 3, and that agrees with --input-shape; else channels first."""
    wanted = options.input_shape
    readings = {"nchw": sides[1:], "nhwc": [sides[3], sides[1], sides[2]]}
    fitting = [
        name for name, own in readings.items() if wanted is None or all(map(_may_be, own, wanted))
    ]
    by_channels = [name for name in fitting if readings[name][0] in _CHANNELS]
    if len(by_channels) > 1 and readings["nchw"] != readings["nhwc"]:
        raise InputError(
            f"model {path} takes {value}, which may have its channels first or last: expected one "
            "side of 1 or 3; give --layout nchw or --layout nhwc"
        )
    open_ones = [name for name in fitting if not isinstance(readings[name][0], int)]
    found = (by_channels or open_ones or fitting or ["nchw"])[0]
    return "nhwc" if found == "nhwc" else "nchw"


def _may_be(own: int | str | None, wanted: int) -> bool:
    return own == wanted or not isinstance(own, int)


def _sides(
    path: Path, value: GraphValue, own: _Sides, options: ModelOptions
) -> tuple[int, int, int]:
    """C, H, W: what the file fixes, and what --input-shape says of the rest."""
    wanted = options.input_shape
    fixed = [side if isinstance(side, int) and side > 0 else None for side in own]
    if wanted is None:
        if None in fixed:
            raise OpenSidesError(path, value, fixed)
        channels, height, width = (side or 0 for side in fixed)
        return channels, height, width
    if any(side not in (None, asked) for side, asked in zip(fixed, wanted, strict=True)):
        shape = ",".join("?" if side is None else str(side) for side in fixed)
        raise InputError(
            f"model {path} takes images C,H,W of {shape}, not --input-shape "
            f"{','.join(map(str, wanted))}: expected the same; leave --input-shape out"
        )
    return wanted


def _example(fixed: list[int | None]) -> str:
    """A shape that fills the open sides."""
    size = next((side for side in fixed[1:] if side), 224)
    return ",".join(str(side or (3 if place == 0 else size)) for place, side in enumerate(fixed))


def _grey(
    path: Path, value: GraphValue, sides: _Sides, options: ModelOptions
) -> tuple[Arrangement, tuple[int, int, int]]:
    """[N, H, W]. A batch side of 3 would rather be the channels of a model of one image."""
    if isinstance(sides[0], int) and sides[0] != 1:
        raise InputError(
            f"model {path} takes {value}: expected a batch of images, [N, C, H, W] or "
            "[N, H, W, C]; export it with a batch dimension"
        )
    return "nhw", _sides(path, value, [1, *sides[1:]], options)


def _rows(
    path: Path, value: GraphValue, sides: _Sides, options: ModelOptions
) -> tuple[Arrangement, tuple[int, int, int]]:
    """[N, pixels]: --input-shape says what image that is, and of several channels --layout in what
    order."""
    wanted, pixels = options.input_shape, sides[1]
    if wanted is None or (isinstance(pixels, int) and math.prod(wanted) != pixels):
        asked = "" if wanted is None else f", not --input-shape {','.join(map(str, wanted))}"
        raise InputError(
            f"model {path} takes {value}, a row of numbers{asked}: expected images; give the "
            f"C,H,W that make {pixels or 'a row'} as --input-shape (such as 1,28,28 for 784)"
        )
    if wanted[0] > 1 and options.layout is None:
        raise InputError(
            f"model {path} takes {value}, in which {wanted[0]} channels may come first or last: "
            "give --layout nchw or --layout nhwc"
        )
    return ("rows nhwc" if options.layout == "nhwc" and wanted[0] > 1 else "rows"), wanted


def _spec(
    path: Path, value: GraphValue, shape: tuple[int, int, int], options: ModelOptions
) -> tuple[InputSpec, list[str]]:
    """The preprocessing: what options say, else [0, 1] pixels (of whole numbers, 0..255) and, of
    photographs, what InputSpec.of_shape says. And sentences on what no option says."""
    if value.made_of not in (*_CLAMPED, *_WHOLE):
        return spec_of(shape, options)
    _check_whole(path, value, options)
    return spec_of(shape, options, ((), (1.0 / LEVELS,) * shape[0]))


def spec_of(
    shape: tuple[int, int, int],
    options: ModelOptions,
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> tuple[InputSpec, list[str]]:
    """The input of a network that says its shape alone, by options, and sentences on what none of
    them says. normalisation: mean and std, where they are known."""
    default = InputSpec.of_shape(*shape)
    mean, std = normalisation or options.normalisation(shape[0])
    said = []
    if normalisation is None and not options.normalises:
        said.append("no preprocessing recorded: [0,1] pixels")
    resize = default.resize if options.resize is None else options.resize
    if options.interpolation is not None and resize is None:
        raise InputError(
            f"--interpolation {options.interpolation} has no use for images that are not resized: "
            f"give {spelled('resize')} S too, or leave it out"
        )
    if resize is not None and options.resize is None:
        resized = f"photographs resized to {resize} and cropped to {shape[1]}x{shape[2]}"
        said = [f"{said[0]}, {resized}" if said else f"no resize recorded: {resized}"]
    spec = replace(default, mean=mean, std=std, resize=resize)
    if options.interpolation is not None:
        spec = replace(spec, interpolation=options.interpolation)
    return spec, said


def _check_whole(path: Path, value: GraphValue, options: ModelOptions) -> None:
    """Whole numbers are pixels as they are: nothing but the range 0,255 can be said of them."""
    if options.normalises and options.input_range != PIXELS:
        given = next(n for n in ("input_range", "mean", "std") if getattr(options, n) is not None)
        raise InputError(
            f"model {path} takes {value}, whole pixels 0..255, which {spelled(given)} would make "
            "fractions: leave it out; such a model normalises inside"
        )
