"""How much of a table a budget left undecided."""

import numpy as np

from smoothcert.analysis.log import Log


def undecided_cells(log: Log) -> int | None:
    """How many cells of the table, an image and a radius each, are undecided; None of runs without
    a budget."""
    if log.undecided is None or log.table_radii is None:
        return None
    return int(np.sum(log.undecided))


def undecided_sentence(log: Log) -> str | None:
    """What a reader of the figures needs to know where cells are undecided; None where none are."""
    open_cells = undecided_cells(log)
    if not open_cells:
        return None
    cells = len(log) * len(log.table_radii or ())
    return (
        f"{open_cells} of {cells} cells of the table (an image and a radius) are undecided, "
        f"{open_cells / cells:.1%}: a budget ended before they were, and they count as not "
        "certified."
    )
