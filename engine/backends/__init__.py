"""Backends: deterministic functions from rows to votes, one file per runtime."""
