"""The certificates that a log transfers to its reference model, as a log of that model."""

from dataclasses import replace

import numpy as np

from smoothcert.analysis.columns import decimals, integers, split_columns
from smoothcert.analysis.log import Log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import TRANSFER_COLUMNS


def transferred(log: Log) -> Log:
    """The same images with the reference's class and radius in place of the model's.

    Each row fails with probability at most alpha + alpha_zeta, which is this log's alpha (none,
    where the manifest does not tell both). Raises InputError for a log without a transfer.
    """
    text = log.path.read_text(encoding="utf-8")
    # Rows that were appended after `log` was read are left out.
    columns = split_columns(log.path, text.split("\n")[: len(log) + 1])
    if not set(TRANSFER_COLUMNS) <= set(columns):
        raise InputError(
            f"{log.path} transfers no certificates: expected a log of `certify --transfer-to`; "
            "leave --transferred out"
        )
    predict = integers(log.path, columns, "predict_transfer", -1)
    run = {**log.run, "procedure": "transfer"}
    run.pop("alpha", None)
    if log.alpha is not None and log.alpha_zeta is not None:
        run["alpha"] = log.alpha + log.alpha_zeta
    return replace(
        log,
        predict=predict,
        radius=decimals(log.path, columns, "radius_transfer"),
        correct=np.equal(predict, log.label),
        covers=integers(log.path, columns, "covers_transfer", 0),
        count=None,
        n=None,
        n0=None,
        manifest={**(log.manifest or {}), "run": run},
    )
