"""QuantizeLinear and DequantizeLinear: scales are constants, and none belongs to a row."""

from smoothcert.engine.models.row_independence.call import Call, shape_at
from smoothcert.engine.models.row_independence.sizes import product
from smoothcert.engine.models.row_independence.values import Value
from smoothcert.engine.models.row_independence.verdict import unknown


def quantise(call: Call) -> list[Value]:
    """Either of the two, of ONNX or of com.microsoft."""
    rows = call.rows()
    call.constants(1, what="its scale or zero point")
    shapes = [shape_at(value) for value in call.values[1:] if value is not None]
    if any(product(shape) != 1 for shape in shapes):
        if call.attributes.get("block_size", 0) or any(len(shape) > 1 for shape in shapes):
            unknown("quantises in blocks")
        if call.axis("axis", 1, len(rows.shape)) == rows.axis:
            unknown("has a scale for each row of the batch")
    return [rows.to(rows.shape)]


RULES = {"DequantizeLinear": quantise, "QuantizeLinear": quantise}
