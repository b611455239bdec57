"""From the arrays that a stranger saved to an ArraySource: names, layout, scale, labels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.arrays.array_labels import ReadLabels, class_indices
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.arrays.channels import channels_last
from smoothcert.engine.sources.arrays.eight_bit import to_bytes
from smoothcert.engine.sources.arrays.naming import Chosen
from smoothcert.engine.sources.options import SourceOptions

_LAYOUTS = {
    "NCHW": "images are [N, C, H, W]: transposed",
    "one image": "one image, without a dimension for several",
    "rows": "grey images whose pixels lie in a row each",
}


def open_arrays(
    kind: str,
    name: str,
    files: Sequence[Path],
    chosen: Chosen,
    load: Callable[[str], npt.NDArray[Any]],
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
    kept: type[ArraySource] = ArraySource,
) -> ArraySource:
    """The source of the chosen arrays, each of which `load` gives by its name, as `kept`.

    What is inferred of them is said, and in the source's description. Raises InputError.
    """
    file = printable(files[0])
    images = load(chosen.images)
    found = None if chosen.labels is None else load(chosen.labels)
    count = None if found is None else _count(found, len(images) if images.ndim else 0)
    images, layout = channels_last(images, count, spec, file)
    pixels, scale = to_bytes(images, file)
    labels = ReadLabels(None)
    if found is not None:
        images_read = len(pixels) if pixels.ndim else 0
        labels = class_indices(found, images_read, num_classes, options.classes, file)
    said = (
        *chosen.said(),
        *((_LAYOUTS[layout],) if layout else ()),
        *((f"pixels are stored as {scale} in {images.dtype}",) if scale else ()),
        *labels.said,
    )
    read_as: dict[str, Any] = {
        **({} if chosen.is_default else {"arrays": list(map(printable, chosen.names))}),
        **({"layout": layout} if layout else {}),
        **({"scale": scale} if scale else {}),
        **({"unlabelled": True} if chosen.labels is None else {}),
        **labels.read_as,
    }
    return kept(
        kind,
        name,
        files,
        pixels,
        labels.labels,
        spec,
        num_classes,
        labels.classes,
        said=said,
        read_as=read_as,
        split=chosen.split,
    )


def _count(labels: npt.NDArray[Any], images: int) -> int:
    """For how many images labels are: rows of zeros and a 1 are one label each."""
    if labels.ndim == 2 and len(labels) == images:
        return images
    return labels.size if labels.ndim < 2 or 1 in labels.shape else len(labels)
