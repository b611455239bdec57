"""Convolutions, poolings and others that take images one after the other along axis 0."""

from onnx import helper

from smoothcert.engine.models.row_independence.call import Call
from smoothcert.engine.models.row_independence.rules.products import required
from smoothcert.engine.models.row_independence.sizes import Shape
from smoothcert.engine.models.row_independence.values import Constant, Lost, Rows, Value
from smoothcert.engine.models.row_independence.verdict import Proof, refuse, unknown

_PLAIN = (
    "AveragePool Conv ConvInteger ConvTranspose DepthToSpace GlobalAveragePool GlobalLpPool"
    " GlobalMaxPool GroupNormalization InstanceNormalization LRN LpPool MaxPool QLinearConv"
    " SpaceToDepth"
)
_SAME_SHAPE = "GroupNormalization InstanceNormalization LRN"
_ACROSS_SPACE = ("Global", "Instance", "Group")
_OF_CONV = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}


def windows(call: Call) -> list[Value]:
    """The images are operand 0, all others constants."""
    call.constants(1)
    return _imagewise(call, [call.rows()])


def _deform_conv(call: Call) -> list[Value]:
    call.constants(1, 2)
    call.constants(3, 4)
    moving = [0, 2, *([4] if call.value(4) is not None else [])]
    return _imagewise(call, [call.rows(index) for index in moving])


def _grid_sample(call: Call) -> list[Value]:
    return _imagewise(call, [call.rows(0), call.rows(1, "its grid")])


def _imagewise(call: Call, images: list[Rows]) -> list[Value]:
    first = images[0]
    for rows in images:
        if rows.axis != 0:
            _misplaced(call, rows.axis)
    if len({rows.layout for rows in images}) > 1:
        refuse("combines rows of the batch with one another")
    if call.operator in _SAME_SHAPE.split():
        return [first.to(first.shape)]
    shape, *more = _shapes(call)
    if shape[0] != first.shape[0].at_one():
        unknown("its result has another batch")
    second = "its second output holds positions in the whole batch"
    lost = Lost(Proof("unproven", call.node.name or call.node.output[0], call.operator, second))
    return [first.to([first.shape[0], *shape[1:]]), *[lost for _ in more]]


def _misplaced(call: Call, axis: int) -> None:
    over_channels = call.operator == "Conv" and call.attributes.get("group", 1) == 1
    if (axis == 1 and over_channels) or (axis > 1 and call.operator.startswith(_ACROSS_SPACE)):
        refuse(f"works across axis {axis}, where the batch lies")
    unknown(f"the batch lies at axis {axis}: expected 0")


def _shapes(call: Call) -> list[Shape]:
    """The shapes that onnx infers where N = 1; those of quantised and fused convolutions are those
    of a plain one."""
    if call.operator not in ("ConvInteger", "QLinearConv") and not call.node.domain:
        return call.infer(call.node, call.values)
    at = (0, 3) if call.operator == "QLinearConv" else (0, 1)
    plain = helper.make_node("Conv", ["image", "weights"], ["result"])
    plain.attribute.extend(a for a in call.node.attribute if a.name in _OF_CONV)
    weights = required(call, at[1])
    assert isinstance(weights, Constant)
    return call.infer(plain, [required(call, at[0]), Constant(weights.shape)])


RULES = {
    **dict.fromkeys(_PLAIN.split(), windows),
    "DeformConv": _deform_conv,
    "GridSample": _grid_sample,
}
