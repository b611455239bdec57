"""Rims around tensors."""

from collections.abc import Sequence

import torch.nn.functional as F

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, shape_of

_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def padded(
    site: Site, x: Value, before: Sequence[int], after: Sequence[int], value: float = 0.0
) -> Value:
    """x with that many elements of a value before and after each of its last axes."""
    if not any(before) and not any(after):
        return x
    pairs = [
        count for pair in zip(reversed(before), reversed(after), strict=True) for count in pair
    ]
    return site.call(F.pad, x, pairs, "constant", value)


def _pad(
    site: Site,
    x: Value,
    pads: Value | None = None,
    value: Value | None = None,
    axes: Value | None = None,
) -> Value:
    """Inputs from opset 11 on; before, attributes. Negative counts cut off."""
    rank = len(shape_of(x))
    counts = site.input_or_attribute(pads, "pads") or []
    which = list(range(rank)) if axes is None else site.integers(axes, "axes")
    if len(counts) != 2 * len(which):
        site.refuse(f"{len(counts)} pads for {len(which)} axes")
    before, after = [0] * rank, [0] * rank
    for position, axis in enumerate(site.axes(which, rank)):
        before[axis], after[axis] = counts[position], counts[position + len(which)]
    mode = site.attribute("mode", "constant")
    fill = site.attribute("value", 0.0)
    if value is not None:
        fill = site.known(value, "the value").item()
    if mode == "constant":
        return padded(site, x, before, after, fill)
    return _mirrored(site, x, before, after, mode)


def _mirrored(site: Site, x: Value, before: list[int], after: list[int], mode: str) -> Value:
    """A rim made of x; torch has it for the last axes of images alone."""
    spatial = len(shape_of(x)) - 2
    if mode not in _MODES or any(before[:2] + after[:2]) or not 1 <= spatial <= 3:
        site.refuse(f"mode {mode} with pads {before + after}")
    if min(before + after) < 0:
        site.refuse(f"mode {mode} with negative pads {before + after}")
    if not any(before + after):
        return x
    pairs = [count for axis in reversed(range(2, spatial + 2)) for count in
             (before[axis], after[axis])]  # fmt: skip
    return site.call(F.pad, x, pairs, _MODES[mode])


OPERATORS: dict[str, Operator] = {"Pad": _pad}
