"""Sources that hold all their images as one array, and what such arrays are by name and shape."""
