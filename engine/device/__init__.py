"""Device runtimes: memory, streams, kernels and graphs of a GPU, behind one small seam."""
