"""Element by element: arithmetic, comparisons, activations, casts."""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import (
    Value,
    broadcast,
    dtype_named,
    dtype_of,
    shape_of,
)


def number_or_value(x: Value, other: Value) -> Value | float:
    """A one-element tensor as a Python number, where the other keeps shape and type of the result.

    The number is exactly the tensor's, and torch computes in the other's type.
    """
    if (
        isinstance(x, torch.Tensor)
        and isinstance(other, fx.Node)
        and x.numel() == 1
        and x.ndim <= len(shape_of(other))
        and x.dtype == dtype_of(other)
    ):
        return x.item()
    return x


def _unary(function: Callable[..., Any]) -> Operator:
    def apply(site: Site, x: Value) -> Value:
        return site.call(function, x)

    return apply


def _binary(function: Callable[..., Any]) -> Operator:
    def apply(site: Site, x: Value, y: Value) -> Value:
        _refuse_mixed(site, x, y)
        return site.call(function, number_or_value(x, y), number_or_value(y, x))

    return apply


def _refuse_mixed(site: Site, x: Value, y: Value) -> None:
    """ONNX has no type promotion; torch has."""
    if dtype_of(x) != dtype_of(y):
        site.refuse(f"operands of {dtype_of(x)} and {dtype_of(y)}")


def add(site: Site, x: Value, y: Value) -> Value:
    """operator.add for two computed tensors of one shape, which a convolution may take in."""
    _refuse_mixed(site, x, y)
    if isinstance(x, fx.Node) and isinstance(y, fx.Node) and shape_of(x) == shape_of(y):
        return site.call(operator.add, x, y)
    first, second = number_or_value(x, y), number_or_value(y, x)
    if isinstance(first, torch.Tensor | fx.Node):
        return site.call(torch.add, first, second)
    return site.call(torch.add, second, first)


def _sum(site: Site, *terms: Value) -> Value:
    return functools.reduce(functools.partial(add, site), terms)


def _mean(site: Site, *terms: Value) -> Value:
    return site.call(operator.truediv, _sum(site, *terms), len(terms))


def _extreme(function: Callable[..., Any]) -> Operator:
    def apply(site: Site, x: Value, *others: Value) -> Value:
        for y in others:
            _refuse_mixed(site, x, y)
            x = site.call(function, x, y)
        return x

    return apply


def _divide(site: Site, x: Value, y: Value) -> Value:
    """Integers are divided as C does, towards zero."""
    _refuse_mixed(site, x, y)
    if dtype_of(x).is_floating_point:
        return site.call(operator.truediv, number_or_value(x, y), number_or_value(y, x))
    return site.call(torch.div, x, y, rounding_mode="trunc")


def _modulo(site: Site, x: Value, y: Value) -> Value:
    """fmod: the sign of the dividend; else, for integers alone, that of the divisor."""
    _refuse_mixed(site, x, y)
    if site.attribute("fmod", 0):
        return site.call(torch.fmod, x, y)
    if dtype_of(x).is_floating_point:
        site.refuse("floats without fmod")
    return site.call(torch.remainder, x, y)


def _power(site: Site, x: Value, exponent: Value) -> Value:
    """In the base's type, whatever the exponent's."""
    if not dtype_of(x).is_floating_point:
        site.refuse(f"a base of {dtype_of(x)}")
    if isinstance(exponent, torch.Tensor):
        if exponent.numel() == 1 and exponent.ndim <= len(shape_of(x)):
            return site.call(torch.pow, x, float(exponent.item()))
        exponent = exponent.to(dtype_of(x))
    if dtype_of(exponent) != dtype_of(x):
        site.refuse(f"a base of {dtype_of(x)} with an exponent of {dtype_of(exponent)}")
    return site.call(torch.pow, x, exponent)


def _clip(site: Site, x: Value, low: Value | None = None, high: Value | None = None) -> Value:
    """Bounds are attributes before opset 11; a lower bound of 0 alone is a ReLU."""
    least = _bound(site, "min", low)
    most = _bound(site, "max", high)
    if least is None and most is None:
        return x
    if least == 0 and most in (None, math.inf) and dtype_of(x).is_floating_point:
        return site.call(torch.relu, x)
    return site.call(torch.clamp, x, least, most)


def _bound(site: Site, name: str, value: Value | None) -> float | None:
    given: float | None = site.attribute(name)
    if value is None:
        return given
    bound = site.known(value, name)
    if bound.numel() != 1:
        site.refuse(f"{name} of {bound.numel()} elements")
    return bound.item()


def _hard_sigmoid(site: Site, x: Value) -> Value:
    """max(0, min(1, alpha x + beta)); torch's own where alpha is 1/6."""
    alpha, beta = site.attribute("alpha", 0.2), site.attribute("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-8 and beta == 0.5:  # alpha is stored as a float32
        return site.call(F.hardsigmoid, x)
    sloped = site.call(torch.add, site.call(operator.mul, x, alpha), beta)
    return site.call(torch.clamp, sloped, 0.0, 1.0)


def _parametric_relu(site: Site, x: Value, slope: Value) -> Value:
    """The slope is broadcast to x, in one direction."""
    _refuse_mixed(site, x, slope)
    if broadcast(shape_of(x), shape_of(slope)) != shape_of(x):
        site.refuse(f"a slope of shape {shape_of(slope)} for {shape_of(x)}")
    below = site.call(operator.mul, x, number_or_value(slope, x))
    return site.call(torch.where, site.call(operator.lt, x, 0), below, x)


def _leaky_relu(site: Site, x: Value) -> Value:
    return site.call(F.leaky_relu, x, site.attribute("alpha", 0.01))


def _thresholded_relu(site: Site, x: Value) -> Value:
    alpha = site.attribute("alpha", 1.0)
    return site.call(torch.where, site.call(operator.gt, x, alpha), x, 0.0)


def _elu(site: Site, x: Value) -> Value:
    return site.call(F.elu, x, site.attribute("alpha", 1.0))


def _celu(site: Site, x: Value) -> Value:
    return site.call(F.celu, x, site.attribute("alpha", 1.0))


def _selu(site: Site, x: Value) -> Value:
    """torch's constants are the operator's defaults; others are refused."""
    alpha, gamma = site.attribute("alpha", 1.67326319), site.attribute("gamma", 1.05070102)
    if abs(alpha - 1.6732632423543772) > 2e-7 or abs(gamma - 1.0507009873554805) > 2e-7:
        site.refuse(f"alpha {alpha} and gamma {gamma}")
    return site.call(F.selu, x)


def _gelu(site: Site, x: Value) -> Value:
    return site.call(F.gelu, x, approximate=site.attribute("approximate", "none"))


def _swish(site: Site, x: Value) -> Value:
    """x sigmoid(alpha x)."""
    alpha = site.attribute("alpha", 1.0)
    if alpha == 1.0:
        return site.call(F.silu, x)
    return site.call(operator.mul, x, site.call(torch.sigmoid, site.call(operator.mul, x, alpha)))


def _where(site: Site, condition: Value, x: Value, y: Value) -> Value:
    _refuse_mixed(site, x, y)
    return site.call(torch.where, condition, number_or_value(x, y), number_or_value(y, x))


def _cast(site: Site, x: Value) -> Value:
    """Rounding and saturation concern 8-bit floats, which are not brought over."""
    site.ignore("saturate", "round_mode")
    return _as_type(site, x, dtype_named(site.attribute("to")))


def _cast_like(site: Site, x: Value, like: Value) -> Value:
    site.ignore("saturate", "round_mode")
    return _as_type(site, x, dtype_of(like))


def _as_type(site: Site, x: Value, dtype: torch.dtype) -> Value:
    return x if dtype_of(x) == dtype else site.call(torch.Tensor.to, x, dtype)


def _dropout(
    site: Site, x: Value, ratio: Value | None = None, training: Value | None = None
) -> Value:
    """Nothing, in inference."""
    site.ignore("ratio", "seed")
    if training is not None and bool(site.known(training, "training_mode").item()):
        site.refuse("training mode")
    return x


OPERATORS: dict[str, Operator] = {
    "Abs": _unary(torch.abs),
    "Acos": _unary(torch.acos),
    "Add": add,
    "And": _binary(torch.logical_and),
    "Asin": _unary(torch.asin),
    "Atan": _unary(torch.atan),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Ceil": _unary(torch.ceil),
    "Celu": _celu,
    "Clip": _clip,
    "Cos": _unary(torch.cos),
    "Cosh": _unary(torch.cosh),
    "Div": _divide,
    "Dropout": _dropout,
    "Elu": _elu,
    "Equal": _binary(operator.eq),
    "Erf": _unary(torch.erf),
    "Exp": _unary(torch.exp),
    "Floor": _unary(torch.floor),
    "Gelu": _gelu,
    "Greater": _binary(operator.gt),
    "GreaterOrEqual": _binary(operator.ge),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _unary(F.hardswish),
    "LeakyRelu": _leaky_relu,
    "Less": _binary(operator.lt),
    "LessOrEqual": _binary(operator.le),
    "Log": _unary(torch.log),
    "Max": _extreme(torch.maximum),
    "Mean": _mean,
    "Min": _extreme(torch.minimum),
    "Mish": _unary(F.mish),
    "Mod": _modulo,
    "Mul": _binary(operator.mul),
    "Neg": _unary(operator.neg),
    "Not": _unary(torch.logical_not),
    "Or": _binary(torch.logical_or),
    "PRelu": _parametric_relu,
    "Pow": _power,
    "Reciprocal": _unary(torch.reciprocal),
    "Relu": _unary(torch.relu),
    "Round": _unary(torch.round),
    "Selu": _selu,
    "Sigmoid": _unary(torch.sigmoid),
    "Sign": _unary(torch.sign),
    "Sin": _unary(torch.sin),
    "Sinh": _unary(torch.sinh),
    "Softplus": _unary(F.softplus),
    "Softsign": _unary(F.softsign),
    "Sqrt": _unary(torch.sqrt),
    "Sub": _binary(operator.sub),
    "Sum": _sum,
    "Swish": _swish,
    "Tan": _unary(torch.tan),
    "Tanh": _unary(torch.tanh),
    "ThresholdedRelu": _thresholded_relu,
    "Where": _where,
    "Xor": _binary(torch.logical_xor),
}
