"""The door: is every row of a model's output one function of its own row? From its ONNX file alone.

"proven" holds in the semantics of ONNX, that is in exact arithmetic, for every batch size, place,
company and run. It says nothing of a runtime's rounding, which a probe looks at.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from smoothcert.engine.base.errors import MissingPartError, one_line, require
from smoothcert.engine.base.files import recalled, remember
from smoothcert.engine.models.row_independence.verdict import Kind, Proof, Verdict

__all__ = ["ANALYSER", "Proof", "prove", "remembered_proof"]

ANALYSER = 2
"""The version of the rules; a verdict is no older than they are."""


def prove(
    path: Path, shape: tuple[int, int, int], output: str | None = None, *, batch: int | None = None
) -> Proof:
    """The verdict on one output of an ONNX file; raises for no file, however broken.

    shape   C, H, W of a row: fills what the input leaves open (which may have channels last)
    output  its name; None: the first
    batch   the rows of every run, where they are fixed though the file's are not. 1: a row has no
            company, so that chance and what cannot be followed alone stand against a proof
    Unproven where onnx is not installed, with that reason.
    """
    try:
        onnx = require("onnx", "cpu", "proving that rows are independent")
    except MissingPartError as error:
        return Proof("unproven", reason=str(error))
    from smoothcert.engine.models.row_independence.walk import analyse

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # the parser's errors share no public base class
        return Proof("unproven", reason=f"the file cannot be read as ONNX: {one_line(error)}")
    return analyse(model, shape, output, batch=batch)


def remembered_proof(
    path: Path,
    sha256: str,
    shape: tuple[int, int, int],
    output: str | None = None,
    *,
    batch: int | None = None,
) -> Proof:
    """`prove`, cached by the file's digest, the question, and the versions of rules and onnx."""
    try:
        version = require("onnx", "cpu", "proving that rows are independent").__version__
    except MissingPartError:
        return prove(path, shape, output, batch=batch)
    question = {
        "sha256": sha256,
        "analyser": ANALYSER,
        "onnx": version,
        "shape": list(shape),
        "output": output,
        "batch": batch,
    }
    remembered = _read(recalled("row_independence", question), question)
    if remembered:
        return remembered
    proof = prove(path, shape, output, batch=batch)
    answer = json.dumps({**question, "proof": asdict(proof)}).encode()
    remember("row_independence", question, answer)
    return proof


def _read(answer: bytes | None, question: dict[str, object]) -> Proof | None:
    """The cached verdict, or None where it is absent, damaged or about something else."""
    if answer is None:
        return None
    try:
        content = json.loads(answer)
        proof = Proof(**content.pop("proof"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    texts = all(isinstance(text, str) for text in asdict(proof).values())
    known = texts and proof.verdict in get_args(Verdict) and proof.kind in get_args(Kind)
    whole = (proof.kind != "") == (proof.verdict == "refused")
    return proof if content == question and known and whole else None
