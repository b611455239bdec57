"""From the bytes of a log, whoever wrote it, to checked columns."""
