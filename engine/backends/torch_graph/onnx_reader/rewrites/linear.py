"""A product with a known matrix and a known vector added to it, as one linear layer."""

import torch
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.patterns import (
    constant_of,
    is_call,
    only_user,
    other_operand,
    replace,
)
from smoothcert.engine.backends.torch_graph.onnx_reader.values import shape_of


def add_biases(writer: GraphWriter) -> None:
    """To each linear layer without a bias the vector that its only user adds."""
    for node in list(writer.graph.nodes):
        module = writer.root.get_submodule(str(node.target)) if node.op == "call_module" else None
        if not isinstance(module, nn.Linear) or "bias" in dict(module.named_parameters()):
            continue
        user = only_user(node)
        if user is None or not is_call(user, torch.add):
            continue
        bias = _vector(writer, other_operand(user, node), node, module)
        if bias is not None:
            module.bias = writer.parameter(bias)
            replace(writer, user, node)


def _vector(
    writer: GraphWriter, operand: object, node: fx.Node, module: nn.Linear
) -> torch.Tensor | None:
    """What is added to every row alike, [out_features]."""
    if isinstance(operand, float):
        return torch.full((module.out_features,), operand, dtype=module.weight.dtype)
    constant = constant_of(writer, operand)
    if constant is None or constant.ndim > len(shape_of(node)):
        return None
    if constant.shape[-1] != module.out_features or constant.numel() != module.out_features:
        return None
    return constant if constant.ndim == 1 else constant.reshape(-1)
