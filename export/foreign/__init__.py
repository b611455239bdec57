"""ONNX files that others wrote: what they expect, and one of ours that computes the same."""
