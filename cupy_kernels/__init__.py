"""CUDA kernels of the noisy-input path, and their loader."""
