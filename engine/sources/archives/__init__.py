"""Sources that hold encoded photographs in a few large files."""
