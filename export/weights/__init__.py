"""Weights in files that training scripts leave: read, found, and matched to an architecture."""
