"""What two logs of one run have in common."""

from pathlib import Path


def untimed(log: Path) -> list[list[str]]:
    """A log's lines as fields, its time column left out."""
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    assert lines[0][5] == "time"
    return [line[:5] + line[6:] for line in lines]
