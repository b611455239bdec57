"""Products of matrices; those with a known matrix are linear layers."""

import operator

import torch
from torch import nn

from smoothcert.engine.backends.torch_graph.onnx_reader.operators.elementwise import add
from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, dtype_of, shape_of


def _linear(site: Site, x: Value, weight: torch.Tensor, bias: torch.Tensor | None) -> Value:
    """x times the transposed weight [outputs, inputs], plus the bias."""
    outputs, inputs = weight.shape
    if shape_of(x)[-1] != inputs:
        site.refuse(f"{shape_of(x)} times a matrix of {inputs} rows")
    return site.module(
        nn.Linear, x, inputs, outputs, bias is not None,
        parameters={"weight": weight, "bias": bias},
    )  # fmt: skip


def _general_product(site: Site, x: Value, y: Value, z: Value | None = None) -> Value:
    """alpha x y + beta z, each transposed where asked for."""
    alpha, beta = site.attribute("alpha", 1.0), site.attribute("beta", 1.0)
    across, down = site.attribute("transA", 0), site.attribute("transB", 0)
    _refuse_mixed(site, x, y)
    if z is not None:
        _refuse_mixed(site, x, z)
    if across:
        x = site.call(torch.transpose, x, 0, 1)
    if isinstance(y, torch.Tensor):
        weight = y if down else site.transposed(y)
        bias = _as_vector(z, len(weight))
        if bias is not None and alpha == beta == 1.0:
            return _linear(site, x, weight, bias)
        product = _linear(site, x, weight, None)
    else:
        if down:
            y = site.call(torch.transpose, y, 0, 1)
        product = site.call(torch.matmul, x, y)
    if alpha != 1.0:
        product = site.call(operator.mul, product, alpha)
    if z is None or beta == 0.0:
        return product
    if beta != 1.0:
        z = site.call(operator.mul, z, beta)
    return add(site, product, z)


def _as_vector(z: Value | None, length: int) -> torch.Tensor | None:
    """What a linear layer of that many outputs adds, where z is known and the same for each row."""
    if not isinstance(z, torch.Tensor) or (z.ndim == 2 and z.shape[0] != 1) or z.ndim > 2:
        return None
    if z.ndim == 1 and len(z) == length:
        return z
    return z.reshape(-1).expand(length).contiguous()


def _product(site: Site, x: Value, y: Value) -> Value:
    _refuse_mixed(site, x, y)
    if isinstance(y, torch.Tensor) and y.ndim == 2:
        return _linear(site, x, site.transposed(y), None)
    return site.call(torch.matmul, x, y)


def _refuse_mixed(site: Site, x: Value, y: Value) -> None:
    if dtype_of(x) != dtype_of(y) or not dtype_of(x).is_floating_point:
        site.refuse(f"matrices of {dtype_of(x)} and {dtype_of(y)}")


def _einsum(site: Site, *operands: Value) -> Value:
    equation = site.attribute("equation").replace(" ", "")
    return site.call(torch.einsum, equation, *operands)


OPERATORS: dict[str, Operator] = {
    "Einsum": _einsum,
    "Gemm": _general_product,
    "MatMul": _product,
}
