"""Which rule an operator has."""

from collections.abc import Callable

from smoothcert.engine.models.row_independence.call import Call
from smoothcert.engine.models.row_independence.rules import (
    elementwise,
    layout,
    normalisation,
    picking,
    pieces,
    products,
    quantisation,
    recurrent,
    resizing,
    windows,
)
from smoothcert.engine.models.row_independence.rules.fused import MICROSOFT_RULES
from smoothcert.engine.models.row_independence.values import Value

Rule = Callable[[Call], list[Value]]

MICROSOFT = "com.microsoft"

RULES: dict[str, dict[str, Rule]] = {
    "": {
        **elementwise.RULES,
        **layout.RULES,
        **normalisation.RULES,
        **picking.RULES,
        **pieces.RULES,
        **products.RULES,
        **quantisation.RULES,
        **recurrent.RULES,
        **resizing.RULES,
        **windows.RULES,
    },
    MICROSOFT: MICROSOFT_RULES,
}
"""By domain and operator. A rule is asked where at least one operand follows the batch; it gives
the node's outputs, or stops."""
