"""Sources that are objects of a Python program: arrays, and data sets of torch and Hugging Face."""

from smoothcert.engine.sources.objects.opening import open_object, shape_of

__all__ = ["open_object", "shape_of"]
