"""Subsets of a source: listed, drawn, and as the manifest says them."""
