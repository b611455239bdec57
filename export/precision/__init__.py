"""Lower precisions: from a float32 ONNX model to one in half, 8-bit integers or 8-bit floats."""
