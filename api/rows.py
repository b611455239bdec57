"""A decided image, as a run hands it out."""

from dataclasses import dataclass

from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.procedures import Transfer


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the log.

    index    of the image in the source
    label    the source's class of it; -1 without labels
    predict  the smoothed classifier's class; -1 where it abstains
    radius   L2, in [0, 1]-pixel units; 0.0 of an abstention, and of a run of predict
    correct  whether `predict` is the label
    count    votes for `predict` among the n samples of the estimation, after n0 of the selection;
             drawn: samples in all
    covers   the squared pixel distance, of 8-bit images, within which `predict` holds
    seconds  the image's share, by samples, of the run's wall time
    pixels   a digest of the image that was certified
    runner_up  votes for the second class, of a run whose bound is two-class
    undecided  radii that a budget left undecided, of a run that has one
    transfer   what is certified of the reference, of a run that transfers
    """

    index: int
    label: int
    predict: int
    radius: float
    correct: bool
    count: int
    n: int
    n0: int
    drawn: int
    covers: int
    seconds: float
    pixels: str
    runner_up: int | None = None
    undecided: int | None = None
    transfer: Transfer | None = None

    @classmethod
    def of(cls, certificate: Certificate) -> "Row":
        """The row that the log has of a certificate."""
        decision = certificate.decision
        return cls(
            index=certificate.index,
            label=certificate.label,
            predict=decision.predict,
            radius=decision.radius,
            correct=decision.predict == certificate.label >= 0,
            count=decision.count,
            n=decision.n,
            n0=decision.n0,
            drawn=decision.drawn,
            covers=decision.covers,
            seconds=round(certificate.seconds * 10**6) / 10**6,
            pixels=certificate.digest,
            runner_up=decision.runner_up,
            undecided=decision.undecided,
            transfer=decision.transfer,
        )
