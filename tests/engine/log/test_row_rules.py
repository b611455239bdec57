"""Rules of rows, for every procedure: all that a trial may end with passes, and nothing else."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from trial_ends import decided

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log import row_rules
from smoothcert.engine.log.arithmetic import check_arithmetic
from smoothcert.engine.log.log_rows import rows_in
from smoothcert.engine.log.row_rules import RowRules, label_objection
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.procedures import (
    Counts,
    Decision,
    FixedCertify,
    Predict,
    Procedure,
    SampleRange,
)
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.transfer import TransferCertify

GOLDEN = Path(__file__).parents[2] / "golden"
FIXED = FixedCertify(0.5, 6, 12, 0.1)
PROCEDURES: dict[str, Procedure] = {
    "fixed": FIXED,
    "predict": Predict(12, 0.1),
    "table": TableCertify(0.5, (0.0, 0.1), 20, 0.2, "fast", looks=(8, 14, 20)),
    "label-aware": TableCertify(
        0.5, (0.0, 0.1), 20, 0.2, "fast", looks=(8, 14, 20), label_aware=True
    ),
    "radius": RadiusCertify(0.5, 300, 0.05, tolerance=0.2, pilot=20),
    "transfer": TransferCertify(FIXED, 0.5, 20, 0.1),
    "two-class": FixedCertify(0.5, 6, 12, 0.1, bound="two-class"),
    "two-class radius": RadiusCertify(0.5, 300, 0.05, tolerance=0.2, pilot=20, bound="two-class"),
}
CLASSES = 5


def rules_of(procedure: Procedure, classes: int = CLASSES) -> RowRules:
    return RowRules(procedure, classes, 9, range(9))


def ends(procedure: Procedure, number: int) -> Iterator[Certificate]:
    """Rows of honest trials."""
    rng = np.random.default_rng(7)
    for index in range(number):
        label = int(rng.integers(0, CLASSES))
        votes = rng.dirichlet(np.full(CLASSES, 0.2))
        if isinstance(procedure, TransferCertify):
            votes = np.concatenate((0.95 * votes, 0.05 * votes))

        def told(asked: SampleRange, p: npt.NDArray[np.float64] = votes) -> Counts:
            return rng.multinomial(asked.count, p)

        decision = decided(procedure.trial(label), told)
        yield Certificate(index % 9, label, decision, 0.0, f"{index:016x}")


@pytest.mark.parametrize("name", PROCEDURES)
def test_rows_of_honest_trials_pass(name: str) -> None:
    rules = rules_of(PROCEDURES[name])
    for row in ends(PROCEDURES[name], 200):
        assert rules.objection(row, row.fields()) is None
    assert rules == rules_of(PROCEDURES[name])  # whatever has passed


def forged(decision: Decision) -> Iterator[Decision]:
    """A decision with any one or two of its numbers changed."""
    for predict, more in itertools.product(range(-1, CLASSES + 1), range(-3, 4)):
        yield replace(decision, predict=predict, count=max(0, decision.count + more))
    for entry in ("n", "n0", "drawn"):
        for more in (-6, -1, 1, 6):
            yield replace(decision, **{entry: max(0, getattr(decision, entry) + more)})
    yield replace(decision, radius=decision.radius + 1e-6)
    if decision.runner_up is not None:
        for more in (-3, -1, 1, 300):
            yield replace(decision, runner_up=max(0, decision.runner_up + more))
    if (transfer := decision.transfer) is not None:
        for more in (-1, 1, 20):
            losses = max(0, transfer.losses + more)
            yield replace(decision, transfer=replace(transfer, losses=losses))
        yield replace(decision, transfer=replace(transfer, n_zeta=transfer.n_zeta + 1))
        yield replace(decision, transfer=replace(transfer, radius=transfer.radius + 1e-6))


@pytest.mark.parametrize("name", PROCEDURES)
def test_forged_rows_are_judged_as_an_audit_judges_them(name: str) -> None:
    """Though of many classes few are looked at, and of equal rows one."""
    procedure = PROCEDURES[name]
    rules, refused = rules_of(procedure), 0
    for row in ends(procedure, 12):
        for decision, label in itertools.product(forged(row.decision), (0, 1, CLASSES, 99)):
            claim = replace(row, decision=decision, label=label)
            problems = check_arithmetic(claim, claim.fields(), procedure, CLASSES)
            said = rules.objection(claim, claim.fields())
            assert (said is None) == (not problems), (claim, problems)
            refused += bool(problems)
    assert refused > 100


def test_of_rows_that_say_the_same_one_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of other images, pixels and times, and of labels and classes among a thousand."""
    looked: list[Certificate] = []

    def check(row: Certificate, *others: Any) -> list[str]:
        looked.append(row)
        return check_arithmetic(row, *others)

    monkeypatch.setattr(row_rules, "check_arithmetic", check)
    rules = rules_of(FIXED, classes=1000)
    decision = Decision(3, FIXED.radius_of(12, 12), 12, 12, 6, 18)
    for i in range(200):
        row = Certificate(i % 9, i, replace(decision, predict=500 + i), float(i), f"{i:016x}")
        assert rules.objection(row, row.fields()) is None
    assert len(looked) == 1


@pytest.mark.parametrize(
    ("column", "text", "why"),
    [
        ("radius", "0.600000", "contradicts itself: radius 0.600000 where predict 3 with 12 of 12"),
        ("covers", "1", "contradicts itself: covers 1 where"),
        ("correct", "0", "contradicts itself: correct 0 where"),
        ("count", "13", "contradicts itself: count 13, n 12"),
        ("predict", "5", "contradicts itself: predict 5 is no class of the 5"),
        ("idx", "9", "is of image 9, which is not in the source of 9 images"),
        ("idx", "8", "is of image 8, which is not one of those selected"),
        ("time", "99:00:00.000000", None),
        ("pixels", "f" * 16, None),
    ],
)
def test_an_objection_is_in_the_rows_own_words(column: str, text: str, why: str | None) -> None:
    row = Certificate(4, 3, Decision(3, FIXED.radius_of(12, 12), 12, 12, 6, 18), 0.0, "0" * 16)
    rules = replace(rules_of(FIXED), selected=range(8))
    assert rules.objection(row, row.fields()) is None
    fields = {**row.fields(), column: text}
    said = rules.objection(Certificate.of_fields(fields), fields)
    assert (said is None) if why is None else said is not None and said.startswith(why)


def test_a_row_is_of_its_shard() -> None:
    run = run_of("fixed")
    rules = RowRules.of_run(run)
    part = rules.of_another_shard(
        {**run, "selection": {"skip": 40, "max": 12, "shard": 1, "shards": 2}}
    )
    assert list(rules.selected) == list(range(0, 480, 40))
    assert list(part.selected) == list(range(40, 480, 80))


def test_more_images_than_share_an_alpha() -> None:
    run = run_of("fixed")
    assert RowRules.of_run({**run, "family_wise": 12}).selected
    with pytest.raises(InputError, match="family_wise 11 where 12 images share alpha"):
        RowRules.of_run({**run, "family_wise": 11})


def run_of(name: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((GOLDEN / f"{name}.tsv.json").read_text())["run"]
    return run


@pytest.mark.parametrize("name", ["fixed", "table", "radius", "transferred", "predicted"])
def test_rows_that_an_earlier_version_wrote_pass_byte_for_byte(name: str) -> None:
    path, run = GOLDEN / f"{name}.tsv", run_of(name)
    with path.open("rb") as file:
        rows = list(rows_in(path, file, run, RowRules.of_run(run), ascending=True))
    assert b"".join(row.line for row in rows) == path.read_bytes().partition(b"\n")[2]
    assert len(rows) == 12


@pytest.mark.parametrize(
    ("label", "source", "why"),
    [
        (0, {"images": 9}, None),
        (-1, {"images": 9}, "has label -1, of a labelled source"),
        (-1, {"read_as": {"unlabelled": True}}, None),
        (2, {"read_as": {"unlabelled": True}}, "has label 2, of an unlabelled source"),
        (0, None, None),
    ],
)
def test_labels_are_there_where_the_source_has_them(
    label: int, source: Any, why: str | None
) -> None:
    assert label_objection(label, {"source": source}) == why
