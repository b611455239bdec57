"""Certificates of a fast model, transferred to a reference model that it mostly agrees with.

Let F be the fast model, G the reference, A the class that F's certificate names, p_F and p_G
their probabilities of voting for A under the noise, and

    zeta = P[F votes for A and G does not].

The event "F votes for A" is the disjoint union of "both do" and "F does and G does not", so

    p_F = P[both vote for A] + zeta <= p_G + zeta,   hence   p_G >= p_F - zeta.

*Theorem.* Let a procedure name A with a radius R_F such that, with probability at least
1 - alpha, p_F >= Phi(R_F / sigma) (what every one-sided certificate rests on). Draw m further
samples of the same image and noise law, independent of all that chose A and R_F, and count the
losses: samples on which F votes for A and G does not. Let u be the one-sided Clopper-Pearson upper
bound on zeta at level alpha_zeta. Then, with probability at least 1 - (alpha + alpha_zeta), G's
smoothed classifier predicts A everywhere within

    R_G = sigma * Phi^-1(Phi(R_F / sigma) - u)

(if Phi(R_F / sigma) - u > 1/2; else nothing is claimed).

*Proof.* Given everything the procedure saw, A is fixed and the losses are Bin(m, zeta), because the
m samples are fresh; so P[u < zeta] <= alpha_zeta for every A, hence overall. Outside that event and
outside the procedure's own error, p_G >= p_F - zeta >= Phi(R_F / sigma) - u, and Cohen, Rosenfeld,
Kolter 2019, theorem 1, gives the radius. The two errors add (union bound). QED.

This is the incremental certificate of Ugare, Suresh, Banerjee, Singh, Misailovic 2024 ("Incremental
randomized smoothing certification", theorem 2), made sharper and wider in two ways. They bound the
probability that the votes differ at all; only losses of A matter, which are about half of that.
And because only R_F enters, and the samples are fresh, it holds for any procedure (fixed n, table,
radius), even one that selects A from the samples that estimate it.

What it costs and gives: the reference runs on m samples of each image that F certifies instead of
on n. u is at least 1 - alpha_zeta^(1/m), about 6.9 / m at .001, so no transferred radius exceeds
sigma * Phi^-1(1 - 6.9 / m): 2.46 sigma with 1,000 samples, 3.20 sigma with 10,000. Certifying G
directly on the same m samples has the same ceiling; a transfer is better where G's votes for other
classes are many and losses few (p well below 1), and no better where p is near 1.
"""

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scipy import special

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import (
    ABSTAIN,
    WIDENING,
    check_alpha,
    check_sigma,
    check_total_variation,
    failure_bound,
    round_down,
    smallest_useful_n,
)
from smoothcert.engine.statistics.class_bounds import OneSided
from smoothcert.engine.statistics.procedures import (
    Counts,
    Decision,
    Procedure,
    SampleRange,
    Transfer,
    Trial,
    check_samples,
)


def zeta_upper(losses: int, n: int, alpha: float) -> float:
    """One-sided Clopper-Pearson upper bound on zeta after `losses` losses in n samples.

    With probability at least 1 - alpha over losses ~ Bin(n, zeta), the result is >= zeta. Rounded
    up to a multiple of 1e-9, as it is logged.
    """
    return min(1.0, math.ceil(float(failure_bound(n - losses, n, alpha)) * 1e9) / 1e9)


def transferred_tail(radius: float, sigma: float, zeta: float, total_variation: float) -> float:
    """An upper bound on 1 - p_G, given p_F >= Phi(radius / sigma) and zeta.

    zeta is that of the drawn noise; total_variation takes it to the ideal law.
    """
    tail = float(special.ndtr(-radius / check_sigma(sigma))) * (1.0 + WIDENING)
    return tail + zeta + total_variation


def transferred_radius(
    radius: float, sigma: float, zeta: float, *, total_variation: float = 0.0
) -> float:
    """sigma * Phi^-1(Phi(radius / sigma) - zeta), rounded down to a multiple of 1e-6; 0.0 where
    the reference's probability is not proved to be above 1/2. See the module's theorem."""
    tail = transferred_tail(radius, sigma, zeta, total_variation)
    if tail >= 0.5:
        return 0.0
    z = -float(special.ndtri(tail * (1.0 + WIDENING)))
    return max(0.0, float(round_down(sigma * z)))


NO_TRANSFER = Transfer(ABSTAIN, 0.0, 0, 0, 1.0)
"""Of an image that the fast model abstains on: the reference is not asked."""


@dataclass(frozen=True)
class TransferCertify:
    """A procedure for the fast model, then paired samples with the reference: see the module.

    Runs on a backend whose counts tell agreements from losses (backends/pair.py): counts[c] of
    the votes F = c, for c < K, are samples on which the reference agrees (or was not asked), and
    counts[K + c] those on which it does not.

    fast             the fast model's procedure
    n_zeta           paired samples of an image that `fast` certifies; others need none
    alpha_zeta       failure probability of the bound on zeta
    total_variation  of the sampler over one image
    With probability at least 1 - (alpha + alpha_zeta) over the noise, the transferred class and
    radius are right for the reference model; those of the Decision itself are right for the fast
    one with probability at least 1 - alpha. Raises InputError for n_zeta or alpha_zeta that can
    never certify.
    """

    fast: Procedure
    sigma: float
    n_zeta: int
    alpha_zeta: float = 0.001
    total_variation: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot certify."""
        check_total_variation(self.total_variation)
        bound = getattr(self.fast, "bound", OneSided.NAME)
        if bound != OneSided.NAME:
            raise InputError(
                f"bound {bound} does not transfer: expected one-sided, whose radius alone "
                "says how probable the class is; leave --transfer-to out, or --bound"
            )
        least = smallest_useful_n(check_alpha(self.alpha_zeta, "alpha-zeta"))
        reason = f" ever to certify at alpha {self.alpha_zeta}"
        check_samples("n-zeta", self.n_zeta, least, reason)

    @property
    def max_samples(self) -> int:
        """Those of the fast procedure, and the paired ones."""
        return self.fast.max_samples + self.n_zeta

    def trial(self, label: int | None = None) -> Trial:
        """The fast procedure's trial, then the paired samples of an image it certifies."""
        decision = yield from _first_half(self.fast.trial(label))
        if decision.predict == ABSTAIN:
            return replace(decision, transfer=NO_TRANSFER)
        counts = yield SampleRange(Purpose.DISAGREEMENT, 0, self.n_zeta)
        losses = int(counts[len(counts) // 2 + decision.predict])
        transfer = self.transfer_of(decision.predict, decision.radius, losses)
        return replace(decision, drawn=decision.drawn + self.n_zeta, transfer=transfer)

    def transfer_of(self, predict: int, radius: float, losses: int) -> Transfer:
        """What a class certified for the fast model, its radius and its losses say of the
        reference."""
        zeta, tau = zeta_upper(losses, self.n_zeta, self.alpha_zeta), self.total_variation
        proved = transferred_tail(radius, self.sigma, zeta, tau) < 0.5
        found = transferred_radius(radius, self.sigma, zeta, total_variation=tau)
        return Transfer(predict if proved else ABSTAIN, found, losses, self.n_zeta, zeta)

    def certifies(self, count: int, n: int, runner_up: int | None = None) -> bool:
        """See Procedure.certifies: the fast model's class."""
        return self.fast.certifies(count, n, runner_up)

    def radius_of(self, count: int, n: int, runner_up: int | None = None) -> float:
        """See Procedure.radius_of: the fast model's radius."""
        return self.fast.radius_of(count, n, runner_up)

    def describe(self) -> dict[str, Any]:
        """See Procedure.describe."""
        return {**self.fast.describe(), "n_zeta": self.n_zeta, "alpha_zeta": self.alpha_zeta}

    @classmethod
    def of_description(cls, run: Mapping[str, Any], fast: Procedure) -> "TransferCertify":
        """The inverse of `describe` around the fast model's procedure."""
        tau = run["total_variation"]
        return cls(fast, run["sigma"], run["n_zeta"], run["alpha_zeta"], tau)


def _first_half(trial: Trial) -> Generator[SampleRange, Counts, Decision]:
    """The fast model's trial, which must not see that counts come in two halves: the reference is
    not asked for its samples, so all of its votes are in the first one."""
    wanted = next(trial)
    while True:
        counts = yield wanted
        try:
            wanted = trial.send(counts[: len(counts) // 2])
        except StopIteration as end:
            decision = end.value
            assert isinstance(decision, Decision)
            return decision
