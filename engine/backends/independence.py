"""One row, one function: how it is known that a row's vote depends on its row alone.

A certificate speaks of a fixed function of one image. An ONNX graph is read first: a proof, a
refusal, or neither (models/row_independence). Then every backend is probed (probe.py), proven or
not: a proof speaks of the graph, the probe of what runs it.
"""

from typing import Any

from smoothcert.engine.backends.base import ROW_INDEPENDENCE, LogitsBackend
from smoothcert.engine.backends.probe import Probe, probe
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.row_independence.known import Known
from smoothcert.engine.models.row_independence.proof import ANALYSER

_UNSEEN = "a plan shows no graph"


def known_of_plan(model: Model) -> Known:
    """What was known of the graph that a TensorRT plan was built from, by the record beside it."""
    recorded = model.metadata.get(ROW_INDEPENDENCE)
    if not isinstance(recorded, dict):
        return Known("probed", _UNSEEN)
    if recorded.get("verdict") == "proven":
        return Known("proven")
    return Known("probed", str(recorded.get("reason", _UNSEEN)))


def examined(backend: LogitsBackend, name: str, known: Known) -> LogitsBackend:
    """The backend, which passes the probe, with what is known in its description.

    Raises InputError where it does not pass; it is then closed.
    """
    try:
        found = probe(backend, name)
    except BaseException:
        backend.close()
        raise
    backend.note(ROW_INDEPENDENCE, _describe(known, found))
    return backend


def _describe(known: Known, found: Probe) -> dict[str, Any]:
    described: dict[str, Any] = {"verdict": known.verdict, "analyser": ANALYSER}
    if known.reason:
        described["reason"] = known.reason
    if known.batch is not None:
        described["batch"] = known.batch
    return described | {
        "equality": found.equality,
        "largest_change": found.largest_change,
        "batches": found.batches,
        "rows": found.rows,
    }
