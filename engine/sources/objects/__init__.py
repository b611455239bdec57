"""Sources that are objects of a Python program: arrays, and data sets of torch and Hugging Face."""

from smoothcert.engine.sources.objects import dataset, held_arrays
from smoothcert.engine.sources.objects.opening import open_object, shape_of

__all__ = ["KINDS", "open_object", "shape_of"]

KINDS = (held_arrays.KIND, dataset.KIND)
"""What their descriptions call them: no file is of these kinds."""
