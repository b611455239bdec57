"""Resize and Upsample: along the batch, scale 1 alone."""

import math

from smoothcert.engine.models.row_independence.call import Call, as_constant, axis_in, shape_at
from smoothcert.engine.models.row_independence.sizes import product
from smoothcert.engine.models.row_independence.values import Rows, Value
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

_CROP = "tf_crop_and_resize"
_SINCE_ROI = 11  # before, the scales are operand 1


def _resize(call: Call) -> list[Value]:
    rows = call.rows()
    roi, scales, sizes = (None, 1, None) if call.opset < _SINCE_ROI else (1, 2, 3)
    rank = len(rows.shape)
    axes = [axis_in(axis, rank) for axis in call.attributes.get("axes", range(rank))]
    mode = call.attribute("coordinate_transformation_mode", "half_pixel")
    if rows.axis in axes:
        policy = call.attribute("keep_aspect_ratio_policy", "stretch")
        if mode in (_CROP, "tf_half_pixel_for_nn") or policy != "stretch":
            unknown("where it reads along the batch is not followed")
        _keeps(call, rows, axes.index(rows.axis), scales, sizes)
    elif mode == _CROP and roi is not None:
        call.constants(roi, roi + 1, "its region")
    (shape,) = call.infer(call.node, call.values)
    return [rows.to([d if i == rows.axis else shape[i] for i, d in enumerate(rows.shape)])]


def _keeps(call: Call, rows: Rows, place: int, scales: int, sizes: int | None) -> None:
    """Refuses another scale than 1 for the batch, the `place`-th of the axes that are resized."""
    asked = None if sizes is None else call.value(sizes)
    if asked is not None and product(shape_at(asked)) != 0:
        assert sizes is not None
        kept = call.numbers(sizes, "its sizes")[place] == rows.shape[rows.axis]
    else:
        numbers = as_constant(call.value(scales), "its scale")
        if numbers is None:
            unknown("its scale is not known beforehand")
        kept = bool(numbers[place] == 1)
    if not kept:
        refuse("resizes the batch")


def _upsample(call: Call) -> list[Value]:
    rows = call.rows()
    if "scales" in call.attributes:
        scales = list(call.attributes["scales"])
    else:
        numbers = as_constant(call.value(1), "its scale")
        if numbers is None:
            unknown("its scale is not known beforehand")
        scales = numbers.tolist()
    if scales[rows.axis] != 1:
        refuse("resizes the batch")
    for axis, scale in enumerate(scales):
        if axis != rows.axis:
            rows = rows.resized(axis, math.floor(int(rows.shape[axis]) * scale))
    return [rows]


RULES = {"Resize": _resize, "Upsample": _upsample}
