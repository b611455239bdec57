"""Which images a log's figures are about, where its run chose them by what the model says."""

from smoothcert.analysis.log import Log


def population(log: Log) -> str | None:
    """The sentence that a reader of the figures of an --only-correct run needs; None for others,
    and where the manifest does not say how many images there were."""
    counts = correct_of_tried(log)
    if counts is None:
        return None
    correct, tried = counts
    merged = "" if log.run["selection"].get("shards", 1) == 1 else " when its shards are merged"
    return (
        f"The figures are about {correct} of {tried} images: those that the base classifier "
        f"classifies correctly without noise (--only-correct). Among all {tried} that were "
        f"tried, an accuracy is at least {correct}/{tried} of the one here{merged}: images that "
        "are classified wrongly without noise may be certified correctly too."
    )


def correct_of_tried(log: Log) -> tuple[int, int] | None:
    """How many images --only-correct kept, of how many; None where the manifest says neither."""
    outcome = log.run.get("selection", {}).get("only_correct")
    if outcome is None:
        return None
    correct, tried = outcome["correct"], outcome["tried"]
    return (correct, tried) if 0 < correct <= tried else None
