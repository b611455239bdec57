"""Whether each row of an ONNX classifier's output is one function of its own row: a proof."""
