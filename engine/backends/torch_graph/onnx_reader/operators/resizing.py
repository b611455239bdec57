"""Enlarging images by whole factors."""

import torch.nn.functional as F

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, shape_of


def _resize(
    site: Site,
    x: Value,
    roi: Value | None = None,
    scales: Value | None = None,
    sizes: Value | None = None,
) -> Value:
    """By whole factors, where torch's rule for where a pixel lies is the node's."""
    if site.opset < 11:  # x and scales alone
        roi, scales = None, roi
        position, rounding = "asymmetric", "floor"
    else:
        position = site.attribute("coordinate_transformation_mode", "half_pixel")
        rounding = site.attribute("nearest_mode", "round_prefer_floor")
    site.ignore("cubic_coeff_a", "extrapolation_value")  # of modes that are refused
    site.ignore("exclude_outside")  # a rim has no weight in these modes
    site.expect("antialias", 0)
    site.expect("keep_aspect_ratio_policy", "stretch")
    shape = shape_of(x)
    axes = site.axes(site.attribute("axes") or range(len(shape)), len(shape))
    new = list(shape)
    if sizes is not None and shape_of(sizes) != (0,):
        for axis, side in zip(axes, site.integers(sizes, "sizes"), strict=True):
            new[axis] = side
    else:
        factors = site.known(scales, "scales").tolist()
        for axis, factor in zip(axes, factors, strict=True):
            if factor != int(factor):
                site.refuse(f"a factor of {factor}, which is not whole")
            new[axis] = shape[axis] * int(factor)
    return _enlarged(site, x, new, site.attribute("mode", "nearest"), position, rounding)


def _enlarged(
    site: Site, x: Value, new: list[int], mode: str, position: str, rounding: str
) -> Value:
    shape = shape_of(x)
    whole = all(after % before == 0 for before, after in zip(shape, new, strict=True))
    if tuple(new[:2]) != shape[:2] or not whole or not 3 <= len(shape) <= 5:
        site.refuse(f"{list(shape)} into {new}: expected whole factors of height and width")
    if tuple(new) == shape:
        return x
    # By whole factors these are one rule, pixel // factor. torch's "nearest" divides in float32 and
    # may miss it by rounding; its "nearest-exact" asks at the centres of pixels and cannot.
    if mode == "nearest" and (
        (position in ("half_pixel", "pytorch_half_pixel") and rounding.startswith("round_"))
        or (position == "asymmetric" and rounding == "floor")
    ):
        return site.call(F.interpolate, x, tuple(new[2:]), None, "nearest-exact")
    if mode != "linear" or position not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        site.refuse(f"mode {mode}, {position}, {rounding}")
    if position != "half_pixel" and 1 in new[2:]:
        site.refuse(f"{position} with a side of 1")
    linear = {3: "linear", 4: "bilinear", 5: "trilinear"}[len(shape)]
    corners = position == "align_corners"
    return site.call(F.interpolate, x, tuple(new[2:]), None, linear, corners)


def _upsample(site: Site, x: Value, scales: Value) -> Value:
    """Resize of opset 10 under its older name, in opset 9."""
    return _resize(site, x, scales)


OPERATORS: dict[str, Operator] = {"Resize": _resize, "Upsample": _upsample}
