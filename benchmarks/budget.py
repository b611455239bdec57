"""How much of a table a budget decides, in the order of engine/statistics/worth.py and in others.

    python benchmarks/budget.py FOLDER [--seed 0]

FOLDER is that of samples.py. Each workload's table (radii of the published one, strict, n =
100,000) is run under budgets that are parts of the samples that it needs in all. "One by one"
spends them on one image after the other until it is decided; "in turn" gives every image its next
look before any gets one more. Votes are the same in all orders. Prints Markdown; some minutes.
"""

import argparse
import heapq
from collections.abc import Callable
from pathlib import Path

import numpy as np
from workloads import LOGS, Workload, load

from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.table_state import TableState
from smoothcert.engine.statistics.worth import worth

N, ALPHA = 100_000, 0.001
PARTS = (0.1, 0.25, 0.5, 0.75)

Order = Callable[[TableState, int], float]
ORDERS: dict[str, Order] = {
    "worth": lambda state, image: -worth(state),
    "in turn": lambda state, image: float(state.looked),
    "one by one": lambda state, image: float(image),
}
"""The less comes first."""


def votes_of(workload: Workload, procedure: TableCertify, seed: int) -> list[np.ndarray]:
    """Of each image, the counts between looks: int64 [looks, 3]; the class, the label where it is
    another, and a third that has no part in it."""
    rng = np.random.default_rng(seed)
    looks = np.diff((0, *procedure.table.looks))
    found = []
    for p, label_p, correct in zip(workload.p, workload.label_p, workload.correct, strict=True):
        other = 0.7 * (1 - p) if correct else label_p
        shares = np.array([p, other, max(0.0, 1 - p - other)])
        found.append(np.array([rng.multinomial(count, shares) for count in looks]))
    return found


def spent(
    procedure: TableCertify, votes: list[np.ndarray], order: Order, budgets: list[float]
) -> tuple[list[int], int]:
    """The cells that are undecided when each budget ends, and the samples of all."""
    states = [procedure.state() for _ in votes]
    heap = [(order(state, i), i) for i, state in enumerate(states)]
    heapq.heapify(heap)
    undecided = sum(state.undecided for state in states)
    drawn = 0
    left: list[int] = []
    while heap:
        _, i = heapq.heappop(heap)
        state = states[i]
        count = state.wanted.count
        while len(left) < len(budgets) and drawn + count > budgets[len(left)]:
            left.append(undecided)
        drawn += count
        before = state.undecided
        state.take(votes[i][state.looked])
        undecided += state.undecided - before
        if not state.ended:
            heapq.heappush(heap, (order(state, i), i))
    return left, drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    head = ["workload", "cells", "samples in all", "order"]
    head += [f"undecided at {part:g} of them" for part in PARTS]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for log in LOGS:
        workload = load(log, arguments.folder, rng)
        procedure = TableCertify(log.sigma, log.radii, N, ALPHA, budgeted=True)
        votes = votes_of(workload, procedure, arguments.seed)
        _, total = spent(procedure, votes, ORDERS["one by one"], [])
        cells = len(votes) * len(log.radii)
        for name, order in ORDERS.items():
            left, _ = spent(procedure, votes, order, [part * total for part in PARTS])
            shares = " | ".join(f"{each / cells:.1%}" for each in left)
            print(f"| {log.name} | {cells:,} | {total:,} | {name} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
