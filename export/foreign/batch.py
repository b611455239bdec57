"""A batch dimension that a file fixes, opened: as many rows to a run as a device likes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.row_independence.verdict import Stop
from smoothcert.engine.models.row_independence.walk import analyse
from smoothcert.export.foreign.batch_agreement import disagreement
from smoothcert.export.foreign.batch_size_use import size_use
from smoothcert.export.foreign.batch_walk import NotOpenedError, rewritten

BATCH = "N"
"""The name of the opened dimension."""


@dataclass(frozen=True)
class Opened:
    """A model whose batch was fixed.

    model   with an open batch; None where it stays as it was
    reason  then: why, as the end of "kept at 1, since ..."
    proven  whether the opened graph shows that rows are independent (else runs have to)
    """

    model: Any
    reason: str = ""
    proven: bool = False


def opened_batch(model: Any, spec: InputSpec, folder: Path, output: str | None = None) -> Opened:
    """Open the batch dimension of an onnx.ModelProto with one input of fixed shape.

    spec    of its input: float NCHW (float32 or float16), for which rows are drawn to compare with
    folder  of its file, where its external data are; they need not be loaded
    output  the one that is read: the first side of its shape is the batch. None: the first

    The model is changed where its nodes hold the fixed number (a Reshape to [1, 512], a class token
    expanded to one row, ...), and is taken only where its graph mixes no rows as far as it shows,
    and where several rows in one batch, noisy and of the widest range, give what the file as it
    stands gives for them, to float rounding; where the graph shows it in part alone, also only
    where nothing but shapes is made of the batch's size, and where a row in one place of a batch
    has the same bits in any company. `model` itself is not changed. Nothing is raised: whatever
    goes wrong is a reason to leave the batch as it is.
    """
    name = output or model.graph.output[0].name
    try:
        opened = rewritten(model, name, BATCH)
    except NotOpenedError as error:
        return Opened(None, str(error))
    except Exception as error:  # a node that is none by ONNX's rules trips over whatever comes
        return Opened(None, f"its graph cannot be followed ({one_line(error, 80)})")
    proof = analyse(opened, spec.shape, name)
    if proof.verdict == "refused":
        return Opened(None, proof.describe())
    proven = proof.verdict == "proven"
    try:
        found = "" if proven else size_use(opened, name)
        found = found or disagreement(model, opened, spec, folder, name, alone=not proven)
    except Stop as stop:
        return Opened(None, stop.reason)
    except InputError as error:
        return Opened(None, one_line(error))
    if found:
        return Opened(None, found if proven else f"{found}; {proof.describe()}")
    return Opened(opened, proven=proven)
