"""The attention operator of opset 23."""

import math

import torch
import torch.nn.functional as F

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import (
    Value,
    broadcast,
    dtype_of,
    shape_of,
)


def _attention(
    site: Site,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None = None,
    *past: Value | None,
) -> Value:
    """Queries, keys and values [B, heads, length, size], or [B, length, heads * size]."""
    if any(given is not None for given in past):
        site.refuse("keys and values of the past")
    site.expect("softcap", 0.0)
    site.expect("qk_matmul_output_mode", 0)
    site.expect("softmax_precision", 1, 0)  # float32, which torch keeps at least
    heads = {
        "query": site.attribute("q_num_heads", 0),
        "key": site.attribute("kv_num_heads", 0),
    }
    flat = len(shape_of(query)) == 3
    if flat:
        query = _by_heads(site, query, heads["query"])
        key = _by_heads(site, key, heads["key"])
        value = _by_heads(site, value, heads["key"])
    if shape_of(query)[1] != shape_of(key)[1]:
        site.refuse(f"{shape_of(query)[1]} heads of queries and {shape_of(key)[1]} of keys")
    scale = site.attribute("scale", 1 / math.sqrt(shape_of(query)[-1]))
    causal = bool(site.attribute("is_causal", 0))
    if causal and mask is not None:
        site.refuse("a mask beside is_causal")
    if causal and shape_of(query)[2] != shape_of(key)[2]:
        site.refuse("is_causal with other numbers of queries and of keys")
    if mask is not None:
        known = site.known(mask, "the mask")
        if known.dtype not in (torch.bool, dtype_of(query)):
            site.refuse(f"a mask of {known.dtype} for queries of {dtype_of(query)}")
        mask = checked_mask(known, shape_of(query), shape_of(key))
        if mask is None:
            site.refuse("a mask of another shape, or one that hides every key of a query")
    result = site.call(
        F.scaled_dot_product_attention, query, key, value, mask, 0.0, causal, scale=scale
    )
    if not flat:
        return result
    batch, count, length, size = shape_of(result)
    return site.reshape(site.permute(result, (0, 2, 1, 3)), (batch, length, count * size))


def checked_mask(
    mask: torch.Tensor, query: tuple[int, ...], key: tuple[int, ...]
) -> torch.Tensor | None:
    """The mask, where it can be broadcast to [..., queries, keys] and leaves each query a key.

    None else: of a query without a key it is not agreed what comes out.
    """
    shape = (*query[:-1], key[-2])
    if mask.ndim < 2 or mask.shape[-1] != shape[-1]:
        return None
    if broadcast(tuple(mask.shape), shape) != shape:
        return None
    seen = mask if mask.dtype == torch.bool else mask > -math.inf
    return mask if bool(seen.any(-1).all()) else None


def _by_heads(site: Site, x: Value, heads: int) -> Value:
    batch, length, width = shape_of(x)
    if heads < 1 or width % heads:
        site.refuse(f"{heads} heads of {width} numbers in all")
    apart = site.reshape(x, (batch, length, heads, width // heads))
    return site.permute(apart, (0, 2, 1, 3))


OPERATORS: dict[str, Operator] = {"Attention": _attention}
