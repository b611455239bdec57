"""The rewrites, in the order in which they find what they look for."""

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.activations import (
    join_gates,
    join_gelu,
)
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.affine import fold_affine
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.attention import join_attention
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.linear import add_biases


def rewrite(writer: GraphWriter) -> None:
    """Applies them all to a finished graph."""
    for change in (add_biases, fold_affine, join_gelu, join_gates, join_attention):
        change(writer)
        writer.prune()
