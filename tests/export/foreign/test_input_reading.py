"""What an input is read as, and where more than one reading fits."""

from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.onnx_graph import GraphValue
from smoothcert.export.foreign.input_reading import InputReading, OpenSidesError, read_input
from smoothcert.export.foreign.options import ModelOptions


def read(shape: list[Any], kind: str = "float", **options: Any) -> InputReading:
    value = GraphValue("x", f"tensor({kind})", shape)
    return read_input(Path("m.onnx"), value, ModelOptions(**options))


@pytest.mark.parametrize(
    ("shape", "options", "arrangement", "sides"),
    [
        (["N", 3, 8, 9], {}, "nchw", (3, 8, 9)),
        (["N", 8, 9, 3], {}, "nhwc", (3, 8, 9)),
        (["N", 1, 8, 9], {}, "nchw", (1, 8, 9)),
        (["N", 8, 9, 1], {}, "nhwc", (1, 8, 9)),
        (["N", 4, 8, 9], {}, "nchw", (4, 8, 9)),
        (["N", 1, 1, 1], {}, "nchw", (1, 1, 1)),
        (["N", 3, 8, 3], {"layout": "nhwc"}, "nhwc", (3, 3, 8)),
        (["N", 3, 8, 3], {"layout": "nchw"}, "nchw", (3, 8, 3)),
        (["N", 3, 8, 3], {"input_shape": (3, 8, 3)}, "nchw", (3, 8, 3)),
        (["N", 3, 8, 3], {"input_shape": (3, 3, 8)}, "nhwc", (3, 3, 8)),
        ([None, None, None, 3], {"input_shape": (3, 8, 9)}, "nhwc", (3, 8, 9)),
        (["N", 3, "h", "w"], {"input_shape": (3, 8, 9)}, "nchw", (3, 8, 9)),
        (["a", "b", "c", "d"], {"input_shape": (3, 8, 9)}, "nchw", (3, 8, 9)),
        (["a", "b", "c", "d"], {"input_shape": (3, 8, 9), "layout": "nhwc"}, "nhwc", (3, 8, 9)),
        (["N", 8, 9, "c"], {"input_shape": (3, 8, 9)}, "nhwc", (3, 8, 9)),
        ([], {"input_shape": (3, 8, 9)}, "nchw", (3, 8, 9)),
        (["N", 8, 9], {}, "nhw", (1, 8, 9)),
        ([1, 8, 9], {}, "nhw", (1, 8, 9)),
        (["N", 72], {"input_shape": (1, 8, 9)}, "rows", (1, 8, 9)),
        (["N", "D"], {"input_shape": (3, 8, 9), "layout": "nchw"}, "rows", (3, 8, 9)),
        (["N", 216], {"input_shape": (3, 8, 9), "layout": "nhwc"}, "rows nhwc", (3, 8, 9)),
    ],
)
def test_one_reading_is_taken(
    shape: list[Any], options: dict[str, Any], arrangement: str, sides: tuple[int, int, int]
) -> None:
    found = read(shape, **options)
    assert (found.arrangement, found.spec.shape) == (arrangement, sides)
    assert found.batch == (1 if shape[:1] == [1] else None)


@pytest.mark.parametrize(
    ("shape", "kind", "options", "words"),
    [
        (["N", 3, 8, 3], "float", {}, "give --layout nchw or --layout nhwc"),
        (["N", 1, 8, 3], "float", {}, "give --layout nchw or --layout nhwc"),
        (["N", 3, 8, 8], "float", {"input_shape": (3, 9, 9)}, r"3,8,8, not --input-shape 3,9,9"),
        (["N", 3, "h", 8], "float", {"input_shape": (3, 9, 9)}, r"C,H,W of 3,\?,8, not"),
        (["N", 8, 8, 3], "float", {"input_shape": (1, 8, 8)}, "not --input-shape 1,8,8"),
        ([3, 224, 224], "float", {}, "export it with a batch dimension"),
        (["N", 12], "float", {}, r"a row of numbers: .* --input-shape"),
        (["N", 12], "float", {"input_shape": (1, 3, 3)}, "not --input-shape 1,3,3"),
        (["N", 12], "float", {"input_shape": (3, 2, 2)}, "3 channels may come first or last"),
        (["N", 3, 2, 2, 2], "float", {}, "expected a batch of images"),
        (["N"], "float", {}, "expected a batch of images"),
        ([0, 3, 8, 8], "float", {}, "a batch of 0 images: expected an open batch dimension"),
        (["N", 3, 8, 8], "int8", {}, "int8, pixels 0..255 do not fit"),
        (["N", 3, 8, 8], "uint16", {}, "0..255 or 0..65535"),
        (["N", 3, 8, 8], "uint32", {}, "holds no negative noise"),
        (["N", 3, 8, 8], "bool", {}, "no number that pixels become"),
        (["N"], "string", {}, "decode them outside"),
        (["N", 3, 8, 8], "uint8", {"mean": (0.0,) * 3}, "--mean would make fractions"),
        (["N", 3, 8, 8], "int32", {"input_range": (-1.0, 1.0)}, "--input-range would make"),
        (["N", 3, 8, 8], "float", {"mean": (0.5,)}, "mean has 1 values, expected 3"),
        (["N", 3, 8, 8], "float", {"interpolation": "bicubic"}, "give --resize S too"),
        (["N", 3, 8, 8], "float", {"resize": 7}, "resize 7 is below the input size"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(
    shape: list[Any], kind: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(shape, kind, **options)
    assert "\n" not in str(caught.value)


def test_open_sides_are_asked_for_by_what_fits() -> None:
    with pytest.raises(
        OpenSidesError, match=r"--input-shape C,H,W \(such as 3,224,224\)"
    ) as caught:
        read(["N", "c", "h", "w"])
    assert "--input-shape 3,8,9, as these images are" in str(caught.value.proposing((3, 8, 9)))
    with pytest.raises(OpenSidesError, match=r"\(such as 1,28,28\)") as caught:
        read(["N", "h", 28, 1])
    assert caught.value.fixed == [1, None, 28]
    assert caught.value.proposing((3, 28, 28)) is caught.value
    with pytest.raises(OpenSidesError, match=r"\(such as 3,32,32\)"):
        read(["N", 32, 32, "c"])


def test_pixels_are_zero_to_one_unless_something_else_is_said() -> None:
    plain = read(["N", 3, 8, 8])
    assert (plain.spec, plain.adapted) == (InputSpec(3, 8, 8), {})
    assert plain.said == ("no preprocessing recorded: [0,1] pixels",)
    photographs = read(["N", 3, 224, 224])
    assert photographs.spec.resize == 256
    assert photographs.said == (
        "no preprocessing recorded: [0,1] pixels, photographs resized to 256 and cropped to "
        "224x224",
    )
    given = read(["N", 3, 224, 224], mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bicubic")
    assert given.spec == InputSpec(3, 224, 224, (0.5,) * 3, (0.5,) * 3, 256, "bicubic")
    assert given.said == ("no resize recorded: photographs resized to 256 and cropped to 224x224",)
    assert read(["N", 3, 8, 8], input_range=(-1.0, 1.0), resize=10).said == ()


def test_bytes_are_pixels_as_they_are_and_said_to_be_clamped() -> None:
    found = read(["N", 3, 8, 8], "uint8", input_range=(0.0, 255.0))
    scale, shift = found.spec.affine()
    assert scale.tolist() == [1.0] * 3
    assert shift.tolist() == [0.0] * 3
    assert found.clamped
    assert "clamped to that range before the cast" in found.said[0]
    assert not read(["N", 3, 8, 8], "int32").clamped
