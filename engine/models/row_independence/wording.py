"""What a refusal says to a user."""

from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.row_independence.proof import Proof

_NEIGHBOURS = "so a row's vote depends on its neighbours and no certificate would hold"
_CHANCE = "so two votes on one image differ and no certificate would hold"
_STATIC = (
    "quantise statically (smoothcert export --precision int8 --calibrate IMAGES, from the float "
    "model), or give every row a batch of its own (--batch 1)"
)


def refusal(path: Path, proof: Proof) -> InputError:
    """One line for a model whose proof is a refusal: the node, why no certificate would hold, and
    what to do."""
    found = f"model {path}, node {proof.node!r} ({proof.operator}): it {proof.reason}"
    if proof.kind == "chance":
        return InputError(f"{found}, {_CHANCE}: remove the noise layer, smoothing adds its own")
    if proof.kind == "training":
        cause = _CHANCE if proof.operator == "Dropout" else _NEIGHBOURS
        return InputError(f"{found}, {cause}: export the model with model.eval()")
    if proof.kind == "dynamic quantisation":
        return InputError(f"{found}, {_NEIGHBOURS}: {_STATIC}")
    return InputError(f"{found}, {_NEIGHBOURS}: a certifiable classifier treats each image alone")
