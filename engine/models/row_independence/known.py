"""What is known of a model file before it runs: its graph's proof, or that there is none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smoothcert.engine.models.row_independence.proof import remembered_proof
from smoothcert.engine.models.row_independence.wording import refusal

Verdict = Literal["proven", "probed"]


@dataclass(frozen=True)
class Known:
    """How it is known that a row of the logits depends on its own row of the batch alone.

    verdict  proven: the graph shows it. probed: it does not, for `reason`; runs have to show it
    batch    the one batch size that it holds for, where it is not every one
    """

    verdict: Verdict
    reason: str = ""
    batch: int | None = None


def known_of(
    path: Path,
    sha256: str,
    shape: tuple[int, int, int],
    rows: int | None,
    given: Path | None = None,
) -> Known:
    """What the graph of an ONNX file says, of batches of `rows` (None: not decided yet).

    given  the file that a user knows it by, where it was written from that
    Raises InputError, naming the node and why no certificate would hold, for a graph that mixes
    rows or draws random numbers. One that quantises by the range of its whole input may run one
    row at a time, where that is asked for.
    """
    proof = remembered_proof(path, sha256, shape)
    batch = None
    if proof.kind == "dynamic quantisation" and rows == 1:
        proof = remembered_proof(path, sha256, shape, batch=1)
        batch = 1
    if proof.verdict == "refused":
        raise refusal(given or path, proof)
    if proof.verdict == "proven":
        return Known("proven", batch=batch)
    return Known("probed", proof.describe(), batch)
