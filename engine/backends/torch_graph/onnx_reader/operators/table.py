"""The operators that are brought over, by name."""

from smoothcert.engine.backends.torch_graph.onnx_reader.operators import (
    attention,
    constants,
    convolution,
    elementwise,
    matrices,
    normalization,
    padding,
    pooling,
    reductions,
    resizing,
    selection,
    shapes,
)
from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator

OPERATORS: dict[str, Operator] = {
    **attention.OPERATORS,
    **constants.OPERATORS,
    **convolution.OPERATORS,
    **elementwise.OPERATORS,
    **matrices.OPERATORS,
    **normalization.OPERATORS,
    **padding.OPERATORS,
    **pooling.OPERATORS,
    **reductions.OPERATORS,
    **resizing.OPERATORS,
    **selection.OPERATORS,
    **shapes.OPERATORS,
}
