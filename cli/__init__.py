"""The `smoothcert` command: one file per command, no logic."""
