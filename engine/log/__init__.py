"""Rows and manifest: what a run writes, reads, resumes, merges."""
