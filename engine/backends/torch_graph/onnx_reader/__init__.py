"""From an ONNX file to a torch.fx graph: the same network, or a refusal that names the node."""
