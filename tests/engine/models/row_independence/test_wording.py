"""What a refusal says to a user."""

from pathlib import Path

import pytest

from smoothcert.engine.models.row_independence.proof import Proof
from smoothcert.engine.models.row_independence.verdict import Kind
from smoothcert.engine.models.row_independence.wording import refusal

NEIGHBOURS, VOTES = "depends on its neighbours", "two votes on one image differ"
FOUND = "model m.onnx, node 'n' ({}): it {}, so "


@pytest.mark.parametrize(
    ("operator", "reason", "kind", "parts"),
    [
        ("BatchNormalization", "is in training mode", "training", [NEIGHBOURS, "model.eval()"]),
        ("Dropout", "drops values at random", "training", [VOTES, "model.eval()"]),
        (
            "RandomNormal",
            "draws random numbers",
            "chance",
            ["remove the noise layer", "adds its own"],
        ),
        (
            "DynamicQuantizeLinear",
            "takes its scale from the whole batch",
            "dynamic quantisation",
            [NEIGHBOURS, "smoothcert export --precision int8 --calibrate", "--batch 1"],
        ),
        ("ReduceMean", "takes one number", "mixing", [NEIGHBOURS, "treats each image alone"]),
    ],
)
def test_a_refusal_says_what_was_found_and_what_to_do(
    operator: str, reason: str, kind: Kind, parts: list[str]
) -> None:
    said = str(refusal(Path("m.onnx"), Proof("refused", "n", operator, reason, kind)))
    assert said.startswith(FOUND.format(operator, reason))
    assert "no certificate would hold: " in said
    assert all(part in said for part in parts)
    assert "\n" not in said
