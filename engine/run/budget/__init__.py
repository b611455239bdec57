"""A run that may spend so many samples, or so much time, and no more."""
