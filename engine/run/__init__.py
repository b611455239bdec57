"""Drives images through a backend and a procedure into a log, here or elsewhere; and audits it."""
