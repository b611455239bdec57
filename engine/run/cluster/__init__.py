"""Runs on many GPUs and machines: the same log, from workers that Ray places."""
