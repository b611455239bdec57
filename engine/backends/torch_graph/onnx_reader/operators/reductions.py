"""Sums, means and the like along axes."""

from collections.abc import Callable
from typing import Any

import torch

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, dtype_of, shape_of


def _reduction(function: Callable[..., Any], changes_one: bool = False) -> Operator:
    """An operator that reduces along axes, an input since opset 18 (ReduceSum: 13).

    function(site, x, axes, keep); changes_one: it changes x even where no axis is reduced, which
    noop_with_empty_axes leaves open.
    """

    def apply(site: Site, x: Value, axes: Value | None = None) -> Value:
        rank = len(shape_of(x))
        keep = bool(site.attribute("keepdims", 1))
        given = site.input_or_attribute(axes, "axes")
        empty = site.attribute("noop_with_empty_axes", 0)
        if not given and empty:
            if changes_one:
                site.refuse("noop_with_empty_axes without axes")
            return x
        wanted = site.axes(given or range(rank), rank)
        if not wanted:
            site.refuse("a number has no axes")
        reduced: Value = function(site, x, wanted, keep)
        return reduced

    return apply


def _sum(site: Site, x: Value, axes: list[int], keep: bool) -> Value:
    """In x's own type: torch would widen integers."""
    return site.call(torch.sum, x, axes, keep, dtype=dtype_of(x))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(site: Site, x: Value, axes: list[int], keep: bool) -> Value:
        return site.call(function, x, axes, keep)

    return reduce


def _norm(order: int) -> Callable[..., Any]:
    def reduce(site: Site, x: Value, axes: list[int], keep: bool) -> Value:
        return site.call(torch.linalg.vector_norm, x, order, axes, keep)

    return reduce


def _product(site: Site, x: Value, axes: list[int], keep: bool) -> Value:
    for axis in sorted(axes, reverse=True):  # torch multiplies along one axis at a time
        x = site.call(torch.prod, x, axis, keep, dtype=dtype_of(x))
    return x


def _sum_of_squares(site: Site, x: Value, axes: list[int], keep: bool) -> Value:
    return _sum(site, site.call(torch.square, x), axes, keep)


def _log_of_sum(site: Site, x: Value, axes: list[int], keep: bool) -> Value:
    return site.call(torch.log, _sum(site, x, axes, keep))


def _cumulative_sum(site: Site, x: Value, axis: Value) -> Value:
    """Inclusive, from the start or from the end."""
    site.expect("exclusive", 0)
    (along,) = site.axes(site.integers(axis, "the axis"), len(shape_of(x)))
    if not site.attribute("reverse", 0):
        return site.call(torch.cumsum, x, along, dtype=dtype_of(x))
    summed = site.call(torch.cumsum, site.call(torch.flip, x, (along,)), along, dtype=dtype_of(x))
    return site.call(torch.flip, summed, (along,))


OPERATORS: dict[str, Operator] = {
    "CumSum": _cumulative_sum,
    "ReduceL1": _reduction(_norm(1), changes_one=True),
    "ReduceL2": _reduction(_norm(2), changes_one=True),
    "ReduceLogSum": _reduction(_log_of_sum, changes_one=True),
    "ReduceLogSumExp": _reduction(_plain(torch.logsumexp), changes_one=True),
    "ReduceMax": _reduction(_plain(torch.amax)),
    "ReduceMean": _reduction(_plain(torch.mean)),
    "ReduceMin": _reduction(_plain(torch.amin)),
    "ReduceProd": _reduction(_product),
    "ReduceSum": _reduction(_sum),
    "ReduceSumSquare": _reduction(_sum_of_squares, changes_one=True),
}
