"""Checkpoints and architectures to ONNX: precision, metadata, parity."""
