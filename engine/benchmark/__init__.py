"""Measuring the certification loop against the original's, the bare runtime and the processor."""
