"""What a proof of row independence comes to, and how a rule says that it does not hold."""

from dataclasses import dataclass
from typing import Literal, NoReturn

Verdict = Literal["proven", "refused", "unproven"]
Kind = Literal["", "chance", "training", "dynamic quantisation", "mixing"]


@dataclass(frozen=True)
class Proof:
    """What is known of a model's rows.

    verdict   proven: every row of the output is one function of its own row, whatever the batch
              size, its place, its company and the run. refused: an operator mixes rows, looks at
              the batch size or at chance. unproven: an operator could not be followed, which is no
              accusation
    node      name (or first output) of the node that decides, and its `operator`; empty where none
    reason    why; of a refusal, it completes "the node ..."
    kind      of a refusal; empty otherwise
    """

    verdict: Verdict
    node: str = ""
    operator: str = ""
    reason: str = ""
    kind: Kind = ""

    def describe(self) -> str:
        """`node 'l' (Loop): a loop is not followed`; the reason alone where no node decides."""
        return f"node {self.node!r} ({self.operator}): {self.reason}" if self.node else self.reason


class Stop(Exception):  # noqa: N818 - no error: how a rule ends
    """A rule does not hold for its node: the verdict, why, and the kind of a refusal."""

    def __init__(self, verdict: Verdict, reason: str, kind: Kind = "") -> None:
        super().__init__(reason)
        self.verdict, self.reason, self.kind = verdict, reason, kind


def refuse(reason: str, kind: Kind = "mixing") -> NoReturn:
    """The node makes a row depend on more than itself; `reason` completes "the node ..."."""
    raise Stop("refused", reason, kind)


def unknown(reason: str) -> NoReturn:
    """Nothing is known of what the node does to rows."""
    raise Stop("unproven", reason)
