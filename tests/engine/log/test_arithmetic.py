"""A row's own numbers: each column that the others imply is told apart from what stands there."""

from dataclasses import replace

import pytest

from smoothcert.engine.log.arithmetic import check_arithmetic
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.procedures import Decision, FixedCertify, Predict, Procedure
from smoothcert.engine.statistics.transfer import NO_TRANSFER, TransferCertify

FIXED = FixedCertify(0.5, 10, 100)
PREDICT = Predict(100)
TRANSFER = TransferCertify(FIXED, 0.5, 1000)
RADIUS = FIXED.radius_of(99, 100)
CERTIFIED = Decision(3, RADIUS, 99, 100, 10, 110)
TWO_CLASS = FixedCertify(0.5, 10, 100, bound="two-class")
LEADING = Decision(3, TWO_CLASS.radius_of(60, 100, 5), 60, 100, 10, 110, runner_up=5)
OF_REFERENCE = TRANSFER.transfer_of(3, RADIUS, 4)
TRANSFERRED = replace(CERTIFIED, drawn=1110, transfer=OF_REFERENCE)


def problems(decision: Decision, procedure: Procedure = FIXED, **changed: str) -> list[str]:
    row = Certificate(5, 3, decision, 1.0, "0" * 16)
    return check_arithmetic(row, {**row.fields(), **changed}, procedure, 4)


@pytest.mark.parametrize(
    ("decision", "procedure"),
    [
        (CERTIFIED, FIXED),
        (Decision(ABSTAIN, 0.0, 50, 100, 10, 110), FIXED),
        (Decision(1, 0.0, 95, 100, 0, 100), PREDICT),
        (Decision(ABSTAIN, 0.0, 50, 100, 0, 100), PREDICT),
        (TRANSFERRED, TRANSFER),
        (LEADING, TWO_CLASS),
        (Decision(ABSTAIN, 0.0, 50, 100, 10, 110, runner_up=45), TWO_CLASS),
        (Decision(ABSTAIN, 0.0, 50, 100, 10, 110, NO_TRANSFER), TRANSFER),
    ],
)
def test_rows_that_agree_with_themselves(decision: Decision, procedure: Procedure) -> None:
    assert problems(decision, procedure) == []
    assert problems(decision, procedure, time="9:59:59.000000") == []


@pytest.mark.parametrize(
    "column", ["radius", "correct", "covers", "radius_transfer", "covers_transfer", "zeta_upper"]
)
def test_each_column_that_is_implied(column: str) -> None:
    found = problems(TRANSFERRED, TRANSFER, **{column: "0.1"})
    assert len(found) == 1
    assert found[0].startswith(f"image 5: {column} 0.1 where predict 3 with 99 of 100 and 4 losses")


@pytest.mark.parametrize(
    ("decision", "procedure", "why"),
    [
        (replace(CERTIFIED, predict=4), FIXED, "predict 4 is no class of the 4"),
        (replace(CERTIFIED, predict=-2), FIXED, "predict -2 is no class"),
        (replace(CERTIFIED, count=101), FIXED, "contradict each other"),
        (replace(CERTIFIED, drawn=109), FIXED, "contradict each other"),
        (replace(CERTIFIED, n0=-1), FIXED, "n0 -1, drawn 110 contradict each other"),
        (replace(CERTIFIED, n=10**4299), FIXED, "contradict each other"),
        (replace(CERTIFIED, n=99, drawn=109), FIXED, "n is 99: expected 100"),
        (replace(CERTIFIED, count=50), FIXED, "which 50 of 100 do not certify"),
        (replace(CERTIFIED, predict=ABSTAIN, radius=0.0), FIXED, "abstain"),
        (Decision(1, 0.0, 5, 100, 0, 100), PREDICT, "do not certify"),
        (
            replace(LEADING, runner_up=41),
            TWO_CLASS,
            "count 60 and runner_up 41 are more than",
        ),
        (replace(LEADING, runner_up=40), TWO_CLASS, "names class 3, which 60 of 100 do not"),
        (replace(LEADING, predict=ABSTAIN, radius=0.0), TWO_CLASS, "abstains, where 60 of 100"),
        (
            replace(TRANSFERRED, transfer=replace(OF_REFERENCE, losses=1001)),
            TRANSFER,
            "losses 1001 of n_zeta 1000",
        ),
        (
            replace(TRANSFERRED, transfer=replace(OF_REFERENCE, losses=-1)),
            TRANSFER,
            "losses -1 of n_zeta 1000",
        ),
        (
            replace(TRANSFERRED, transfer=replace(OF_REFERENCE, n_zeta=999)),
            TRANSFER,
            "losses 4 of n_zeta 999 where 1000",
        ),
    ],
)
def test_numbers_that_no_trial_ends_with(
    decision: Decision, procedure: Procedure, why: str
) -> None:
    (problem,) = problems(decision, procedure)
    assert problem.startswith("image 5: ")
    assert why in problem
    assert problem.isprintable()
    assert len(problem) < 300


def test_a_radius_of_fewer_votes_for_the_runner_up_is_found() -> None:
    found = problems(replace(LEADING, runner_up=6), TWO_CLASS)
    assert [problem.split(" where ")[0] for problem in found] == [
        f"image 5: radius {LEADING.radius:.6f}",
        f"image 5: covers {LEADING.covers}",
    ]
    assert "predict 3 with 60 of 100 against 6 gives" in found[0]
