"""Networks as torch graphs: read from ONNX, folded, fused, lowered."""
