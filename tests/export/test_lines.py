"""What is printed of a model's input."""

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.lines import photographs_line, preprocessing_line


def test_its_input_in_a_line() -> None:
    plain = InputSpec(3, 8, 8)
    assert (
        preprocessing_line(plain) == "normalisation mean none, std none; photographs: as they are"
    )
    resized = InputSpec(1, 8, 8, (0.5,), (0.25,), resize=9, interpolation="bicubic")
    assert photographs_line(resized) == "photographs: resize 9 bicubic"
    assert preprocessing_line(resized) == (
        "normalisation mean (0.5,), std (0.25,); photographs: resize 9 bicubic"
    )
