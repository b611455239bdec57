"""Measures what run does."""
