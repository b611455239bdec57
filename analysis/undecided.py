"""How much of a table a budget left undecided."""

import numpy as np

from smoothcert.analysis.log import Log


def undecided_sentence(log: Log) -> str | None:
    """What a reader of the figures of a run under a budget needs to know; None of others."""
    if log.undecided is None or log.table_radii is None:
        return None
    cells, open_cells = len(log) * len(log.table_radii), int(np.sum(log.undecided))
    return (
        f"{open_cells} of {cells} cells of the table (an image and a radius) are undecided, "
        f"{open_cells / cells:.1%}: a budget ended before they were, and they count as not "
        "certified."
    )
