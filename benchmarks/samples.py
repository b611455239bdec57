"""How many samples the procedures need, on the workloads of the published logs.

    python benchmarks/samples.py FOLDER [--repeats 20] [--seed 0]

FOLDER holds imagenet/ and cifar10/ with the logs sigma_*.tsv of the original paper. Every input is
sent through the real procedures, with votes drawn from its recovered class probabilities, and
compared with n = 100,000 samples for every input at the same alpha = .001. Prints Markdown; two
minutes on one core.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from confidence_sequences import betting, replay, union_bound
from learned_prior import Prior, Rule, plan
from learned_prior import replay as replay_plan
from scipy import special
from workloads import LOGS, Floats, Workload, load

from smoothcert.engine.statistics.bounds import certified_radius, failure_bound
from smoothcert.engine.statistics.procedures import Decision, Procedure
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.sequential import looks_until
from smoothcert.engine.statistics.table import SETTINGS, TableCertify

N = 100_000
ALPHA = 0.001
TOP, LABEL = 0, 1


@dataclass(frozen=True)
class Result:
    """Of one procedure on one workload, averaged over inputs and repeats.

    samples, acr    mean samples per input; average certified radius
    fixed_acr       of n = 100,000
    accuracy        float64 [radii]: certified accuracy; fixed_accuracy of n = 100,000
    """

    samples: float
    acr: float
    fixed_acr: float
    accuracy: Floats
    fixed_accuracy: Floats

    @property
    def loss(self) -> Floats:
        """Of certified accuracy, float64 [radii]."""
        return self.fixed_accuracy - self.accuracy


def run(
    procedure: Procedure, p: Floats, label: int, rng: np.random.Generator
) -> tuple[Decision, int, int]:
    """One trial: its decision, the estimation samples drawn and the top class's votes in them.

    p: probabilities of the top class and, where another, the label; all other classes are so many
    that none of them matters.
    """
    trial = procedure.trial(label)
    wanted = next(trial)
    drawn = votes = 0
    shares = np.append(p, max(0.0, 1.0 - p.sum()))
    while True:
        counts = rng.multinomial(wanted.count, shares)[: len(p)]
        if wanted.purpose.name == "ESTIMATION":
            drawn += wanted.count
            votes += int(counts[TOP])
        try:
            wanted = trial.send(counts)
        except StopIteration as end:
            decision = end.value
            assert isinstance(decision, Decision)
            return decision, drawn, votes


def measure(
    procedure: Procedure, workload: Workload, repeats: int, rng: np.random.Generator, paired: bool
) -> Result:
    """Replay a workload. Paired: n = 100,000 goes on with the same votes (this removes the noise
    the two have in common)."""
    log = workload.log
    shape = (repeats, len(workload.p))
    radius, votes = np.zeros(shape), np.zeros(shape, np.int64)
    certified, samples = np.zeros(shape, bool), np.zeros(shape)
    for j, (p, label_p, correct) in enumerate(
        zip(workload.p, workload.label_p, workload.correct, strict=True)
    ):
        shares = np.array([p] if correct else [p, label_p])
        label = TOP if correct else LABEL
        for i in range(repeats):
            decision, drawn, seen = run(procedure, shares, label, rng)
            samples[i, j] = decision.drawn
            certified[i, j] = decision.predict == label
            radius[i, j] = decision.radius
            votes[i, j] = seen + rng.binomial(N - drawn, p) if paired else rng.binomial(N, p)
    fixed = fixed_radius(log.sigma)[votes]
    fixed_correct = workload.correct & (fixed >= 0.0)
    return Result(
        float(samples.mean()),
        float((radius * certified).mean()),
        float((fixed * fixed_correct).mean()),
        np.array([(certified & (radius >= r)).mean() for r in log.radii]),
        np.array([(fixed_correct & (fixed >= r)).mean() for r in log.radii]),
    )


@cache
def fixed_radius(sigma: float) -> Floats:
    """Radii that 0 .. N votes of N certify; -1 where they abstain."""
    counts = np.arange(N + 1)
    radii = np.asarray(certified_radius(counts, N, ALPHA, sigma))
    radii[failure_bound(counts, N, ALPHA) >= 0.5] = -1.0
    return radii


def measure_sequence(
    thresholds: Callable[..., tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]],
    workload: Workload,
    repeats: int,
    seed: int,
) -> Result:
    """Replay a workload through a confidence sequence that stops at N samples."""
    log = workload.log
    probabilities = special.ndtr(np.array(log.radii) / log.sigma)
    certify, give_up = map(
        np.stack, zip(*(thresholds(N, p, ALPHA) for p in probabilities), strict=True)
    )
    p = np.tile(workload.p, repeats)
    correct = np.tile(workload.correct, repeats)
    passed, used = replay(certify, give_up, p, seed)
    fixed = fixed_radius(log.sigma)[np.random.default_rng(seed).binomial(N, p)]
    return Result(
        float(used.mean()),
        0.0,
        0.0,
        np.array([(correct & (passed > g)).mean() for g in range(len(log.radii))]),
        np.array([(correct & (fixed >= r)).mean() for r in log.radii]),
    )


def measure_plan(
    rule: Rule, workload: Workload, repeats: int, seed: int, label_aware: bool
) -> Result:
    """Replay a workload through an e-process, n = 100,000 going on with the same votes.

    Label-aware: the label is the class under test.
    """
    log = workload.log
    p = workload.label_p if label_aware else workload.p
    levels = np.array(log.radii) / log.sigma
    needed, futile = plan(rule, -special.ndtri(1.0 - p), levels, ALPHA)
    rng = np.random.default_rng(seed)
    p = np.tile(p, (repeats, 1))
    passed, used, votes = replay_plan(needed, futile, rule.looks, p, rng)
    fixed = fixed_radius(log.sigma)[votes + rng.binomial(N - used, p)]
    return Result(
        float(used.mean()),
        0.0,
        0.0,
        np.array([(workload.correct & (passed > g)).mean() for g in range(len(log.radii))]),
        np.array([(workload.correct & (fixed >= r)).mean() for r in log.radii]),
    )


Measurement = Callable[[Workload], Result]


def measurements(repeats: int, seed: int) -> dict[str, Measurement]:
    """What is measured, by name."""

    def table(setting: str, label_aware: bool = False) -> Measurement:
        def of(workload: Workload) -> Result:
            log = workload.log
            procedure = TableCertify(
                log.sigma, log.radii, N, ALPHA, setting=setting, label_aware=label_aware
            )
            return measure(procedure, workload, repeats, np.random.default_rng(seed), True)

        return of

    def radius(make: Callable[[float], RadiusCertify]) -> Measurement:
        def of(workload: Workload) -> Result:
            procedure = make(workload.log.sigma)
            return measure(procedure, workload, repeats, np.random.default_rng(seed), False)

        return of

    few, many = looks_until(N), looks_until(N, 48, 1.03, 1)

    def e_process(
        prior: Prior, looks: tuple[int, ...], last: float = 0.0, label_aware: bool = False
    ) -> Measurement:
        rule = Rule(looks, SETTINGS["strict"].beta, prior, last)
        return partial(measure_plan, rule, repeats=repeats, seed=seed, label_aware=label_aware)

    certify = partial(RadiusCertify, alpha=ALPHA)
    return {
        "table, strict": table("strict"),
        "table, fast": table("fast"),
        "table, strict, label-aware": table("strict", label_aware=True),
        "table, fast, label-aware": table("fast", label_aware=True),
        "betting (Voracek 2024)": partial(measure_sequence, betting, repeats=repeats, seed=seed),
        "union bound (Voracek 2024)": partial(
            measure_sequence, union_bound, repeats=repeats, seed=seed
        ),
        f"e-process, learned prior, {len(few)} looks": e_process(Prior.LEARNED, few),
        f"e-process, learned prior, {len(many)} looks": e_process(Prior.LEARNED, many),
        f"e-process, broad prior, {len(many)} looks": e_process(Prior.BROAD, many),
        f"e-process, learned prior, {len(many)} looks, .75 alpha at n": e_process(
            Prior.LEARNED, many, last=0.75
        ),
        f"e-process, learned prior, {len(many)} looks, label-aware": e_process(
            Prior.LEARNED, many, label_aware=True
        ),
        f"oracle, p known, {len(many)} looks": e_process(Prior.KNOWN, many),
        f"oracle, p known, {len(many)} looks, gives up at once": e_process(Prior.KNOWN_END, many),
        "radius, tolerance .01": radius(partial(certify, tolerance=0.01)),
        "radius, tolerance .01, label-aware": radius(
            partial(certify, tolerance=0.01, label_aware=True)
        ),
        "radius, price .1": radius(partial(certify, samples_price=0.1)),
        "radius, price .13, n up to 1,000,000": radius(
            partial(certify, samples_price=0.13, n=1_000_000)
        ),
    }


def report(results: dict[str, list[Result]]) -> str:
    """The results as Markdown. A mean over workloads gives every workload the same weight."""
    names = [log.name for log in LOGS]
    lines = [
        "Mean samples per input and, in brackets, how many times fewer than 100,000. The loss is "
        "the largest",
        "difference in certified accuracy at any radius of any table; ACR is the average certified "
        "radius",
        "(no aim of table mode).",
        "",
        *_row("procedure", *names, "mean", "loss", "ACR"),
    ]
    for name, found in results.items():
        mean = float(np.mean([r.samples for r in found]))
        loss = max(float(r.loss.max()) for r in found)
        change = [r.acr / r.fixed_acr - 1.0 for r in found if r.fixed_acr]
        lines.append(
            _line(
                name,
                *(f"{r.samples:,.0f} ({N / r.samples:.1f})" for r in found),
                f"**{mean:,.0f} ({N / mean:.1f})**",
                f"{loss:.4f}",
                f"{100 * float(np.mean(change)):+.2f} %" if change else "",
            )
        )
    lines += ["", "Certified accuracy less that of n = 100,000, at each radius:", ""]
    lines += _row("procedure", "workload", *(f"radius {i}" for i in range(1, 8)))
    for name, found in results.items():
        for log, result in zip(LOGS, found, strict=True):
            cells = [
                f"{r:g}: {round(-x, 4) + 0.0:+.4f}"
                for r, x in zip(log.radii, result.loss, strict=True)
            ]
            lines.append(_line(name, log.name, *cells, *[""] * (7 - len(cells))))
    return "\n".join(lines)


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _row(*cells: str) -> list[str]:
    return [_line(*cells), "|" + "---|" * len(cells)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    workloads = [load(log, arguments.folder, rng) for log in LOGS]
    start = time.perf_counter()
    results = {
        name: [measurement(workload) for workload in workloads]
        for name, measurement in measurements(arguments.repeats, arguments.seed).items()
    }
    print(report(results))
    print(f"\n{arguments.repeats} repeats, {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
