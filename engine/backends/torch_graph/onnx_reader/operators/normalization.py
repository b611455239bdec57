"""Normalisations: over a batch's recorded statistics, or over parts of one image."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, dtype_of, shape_of

_MODULES = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
_FLOAT = 1  # as the format numbers element types


def _batch_normalization(
    site: Site, x: Value, scale: Value, bias: Value, mean: Value, variance: Value
) -> Value:
    """A module in eval mode; before opset 14 further outputs say that it trains."""
    site.ignore("momentum")
    if isinstance(x, torch.Tensor) and site.attribute("training_mode", 0):
        return _of_a_constant(site, x, scale, bias)
    site.expect("training_mode", 0)
    if any(site.outputs[1:]):
        site.refuse("outputs beside the first: training mode")
    given = {"scale": scale, "bias": bias, "mean": mean, "variance": variance}
    known = {name: site.known(value, f"the {name}") for name, value in given.items()}
    channels = shape_of(x)[1]
    for name, tensor in known.items():
        if tensor.dtype != dtype_of(x) or tuple(tensor.shape) != (channels,):
            site.refuse(
                f"a {name} of {tensor.dtype} {list(tensor.shape)} for {channels} channels of "
                f"{dtype_of(x)}"
            )
    return site.module(
        _MODULES[len(shape_of(x))],
        x,
        channels,
        eps=site.attribute("epsilon", 1e-5),
        parameters={"weight": known["scale"], "bias": known["bias"]},
        buffers={
            "running_mean": known["mean"],
            "running_var": known["variance"],
            "num_batches_tracked": torch.tensor(0),
        },
    )


def _of_a_constant(site: Site, x: torch.Tensor, scale: Value, bias: Value) -> Value:
    """A constant by its own statistics, as networks have it that standardise their weights."""
    epsilon = site.attribute("epsilon", 1e-5)
    weight, shift = site.known(scale, "the scale"), site.known(bias, "the bias")
    return F.batch_norm(x, None, None, weight, shift, True, 0.0, epsilon)


def _layer_normalization(site: Site, x: Value, scale: Value, bias: Value | None = None) -> Value:
    """Over all axes from `axis` on. Statistics are float32 at least, as torch keeps them."""
    site.expect("stash_type", _FLOAT)
    axis = site.axis(-1, len(shape_of(x)))
    part = shape_of(x)[axis:]
    weight = _of_shape(site, scale, part, "scale")
    shift = None if bias is None else _of_shape(site, bias, part, "bias")
    epsilon = site.attribute("epsilon", 1e-5)
    return site.call(F.layer_norm, x, part, weight, shift, epsilon)


def _rms_normalization(site: Site, x: Value, scale: Value) -> Value:
    site.expect("stash_type", _FLOAT)
    axis = site.axis(-1, len(shape_of(x)))
    part = shape_of(x)[axis:]
    weight = _of_shape(site, scale, part, "scale")
    return site.call(F.rms_norm, x, part, weight, site.attribute("epsilon", 1e-5))


def _of_shape(site: Site, value: Value, shape: tuple[int, ...], what: str) -> Value:
    """A value of that very shape: constants are repeated as broadcasting would."""
    if shape_of(value) == shape:
        return value
    return site.known(value, f"a {what} of another shape").expand(shape)


def _instance_normalization(site: Site, x: Value, scale: Value, bias: Value) -> Value:
    """Each channel of each image by itself."""
    epsilon = site.attribute("epsilon", 1e-5)
    return site.call(F.instance_norm, x, None, None, scale, bias, True, 0.0, epsilon)


def _group_normalization(site: Site, x: Value, scale: Value, bias: Value) -> Value:
    """Scale and bias are one number a group before opset 21, one a channel since."""
    site.expect("stash_type", _FLOAT)
    groups, channels = site.attribute("num_groups"), shape_of(x)[1]
    if site.opset < 21:
        each = channels // groups
        scale = site.known(scale, "the scale").repeat_interleave(each)
        bias = site.known(bias, "the bias").repeat_interleave(each)
    return site.call(F.group_norm, x, groups, scale, bias, site.attribute("epsilon", 1e-5))


def _local_response_normalization(site: Site, x: Value) -> Value:
    """Over neighbouring channels; torch centres an even number of them differently."""
    size = site.attribute("size")
    if size % 2 == 0:
        site.refuse(f"an even size ({size})")
    alpha, beta = site.attribute("alpha", 1e-4), site.attribute("beta", 0.75)
    return site.call(F.local_response_norm, x, size, alpha, beta, site.attribute("bias", 1.0))


def _softmax(site: Site, x: Value) -> Value:
    function = F.softmax if site.operator == "Softmax" else F.log_softmax
    shape = shape_of(x)
    axis = site.axis(-1 if site.opset >= 13 else 1, len(shape))
    if site.opset >= 13 or axis == len(shape) - 1:
        return site.call(function, x, axis)
    # Before opset 13: over all axes from that one on.
    flat = site.reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:])))
    return site.reshape(site.call(function, flat, 1), shape)


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _group_normalization,
    "InstanceNormalization": _instance_normalization,
    "LRN": _local_response_normalization,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _softmax,
    "RMSNormalization": _rms_normalization,
    "Softmax": _softmax,
}
