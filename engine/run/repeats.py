"""Rows that were drawn a second time, in another batch: do their votes explain themselves?"""

from collections.abc import Iterable, Mapping
from typing import Any

from scipy import special

from smoothcert.engine.backends.base import ROW_INDEPENDENCE
from smoothcert.engine.base.errors import RunStoppedError
from smoothcert.engine.log.rows import Certificate

ROUNDING_RATE = 0.005
"""Where logits are equal to float rounding only: the most votes that rounding is taken to turn, as
a share of all. (With logits that move by a thousandth of the largest, it turns those whose two
largest logits are as close.)"""

CHANCE = 1e-6
"""A run stops where so many turned votes have a smaller probability at that rate."""


class Repeats:
    """Counts the rows drawn again of a run's certificates, and stops the run where a row's vote is
    no function of its row.

    bitwise  whether the probe found every row's logits equal to the last bit wherever it stood
    """

    def __init__(self, backends: Iterable[Mapping[str, Any]]) -> None:
        self.bitwise = all(map(is_bitwise, backends))
        self.rows = 0
        self.turned = 0

    def also(self, backend: Mapping[str, Any]) -> None:
        """One more machine takes part, whose backend is described so."""
        self.bitwise &= is_bitwise(backend)

    def take(self, certificate: Certificate) -> None:
        """Count an image's; raises RunStoppedError, naming it, before it can reach a log."""
        self.rows += certificate.repeated
        self.turned += certificate.turned
        if not certificate.turned:
            return
        if self.bitwise:
            raise RunStoppedError(
                f"image {certificate.index}: {certificate.turned} of {certificate.repeated} rows "
                "drawn again in another batch got another vote, where every row's logits were "
                "equal bit for bit when the model was opened: it is no function of a row, or the "
                "machine errs, and no certificate would hold; the log has what was certified "
                "before, and the same command resumes it"
            )
        # P[Bin(rows, rate) >= turned]
        chance = float(special.betainc(self.turned, self.rows - self.turned + 1, ROUNDING_RATE))
        if chance < CHANCE:
            raise RunStoppedError(
                f"image {certificate.index}: with it, {self.turned} of {self.rows} rows drawn "
                f"again in another batch got another vote, which at the {ROUNDING_RATE:.1%} that "
                f"float rounding explains has a probability of {chance:.1g}: the model is no "
                "function of a row, and no certificate would hold; the log has what was "
                "certified before"
            )

    def describe(self) -> dict[str, int]:
        """What the manifest records of a session."""
        return {"rows": self.rows, "turned": self.turned}


def is_bitwise(backend: Mapping[str, Any]) -> bool:
    """Whether a backend that describes itself so, and its reference if it has one, gave every row
    logits equal to the last bit when they were opened."""
    opened = [backend, *filter(None, [backend.get("reference")])]
    return all((each.get(ROW_INDEPENDENCE) or {}).get("equality") == "bitwise" for each in opened)
