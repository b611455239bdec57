"""All cases, by kind and name."""

from strangers import checkpoints, logs, models, pictures

CASES = {
    f"{table.kind}/{name}": case
    for table in (models.TABLE, checkpoints.TABLE, pictures.TABLE, logs.TABLE)
    for name, case in table.cases.items()
}
