"""The certificates that a log transfers to its reference model, as a log of that model."""

from dataclasses import replace

import numpy as np

from smoothcert.analysis.log import Log
from smoothcert.analysis.reading.fields import decimals, integers
from smoothcert.analysis.reading.table import split_table
from smoothcert.analysis.reading.text import whole_lines
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import TRANSFER_COLUMNS


def transferred(log: Log) -> Log:
    """The same images with the reference's class and radius in place of the model's.

    Each row fails with probability at most alpha + alpha_zeta, which is this log's alpha (none,
    where the manifest does not tell both). Raises InputError for a log without a transfer.
    """
    # Rows that were appended after `log` was read are left out.
    whole, torn = whole_lines(log.path, finished=False)
    lines = [*whole, torn][: len(log) + 1]
    table = split_table(log.path, lines, further=TRANSFER_COLUMNS)
    if not set(TRANSFER_COLUMNS) <= set(table.columns):
        raise InputError(
            f"{log.path} transfers no certificates: expected a log of `certify --transfer-to`; "
            "leave --transferred out"
        )
    predict = integers(table, "predict_transfer", -1)
    run = {**log.run, "procedure": "transfer"}
    run.pop("alpha", None)
    if log.alpha is not None and log.alpha_zeta is not None:
        run["alpha"] = log.alpha + log.alpha_zeta
    return replace(
        log,
        predict=predict,
        radius=decimals(table, "radius_transfer"),
        correct=np.equal(predict, log.label) & log.labelled,
        covers=integers(table, "covers_transfer", 0),
        count=None,
        n=None,
        n0=None,
        manifest={**(log.manifest or {}), "run": run},
    )
