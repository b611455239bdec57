"""Networks on a GPU: memory, streams, kernels, graphs."""
