"""What each ONNX operator is in torch, a file for each family, and the table of them all."""
