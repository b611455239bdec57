"""Logs of another machine: what its rounding turns passes, what it does not is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_logs import (
    LAW,
    MODES,
    audit,
    certify_log,
    edit_manifest,
    lines_of,
    put,
    write_lines,
)

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.log.rows import COLUMNS, Certificate, columns_of
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.run.audit_manifest import LoggedRun
from smoothcert.engine.run.repeating import FOREIGN_TOLERANCE, repeat, tolerated
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.statistics.procedures import Decision, FixedCertify
from smoothcert.engine.statistics.recorded import recorded_procedure
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.options import CertifyOptions

ALL_MODES = {
    **MODES,
    "transferred": CertifyOptions(0.5, n0=20, n=600, n_zeta=1000),
}


@pytest.fixture
def rounded(linear_model: Callable[..., Path]) -> Callable[[float], Path]:
    """The model of every test, its weights moved as if it were computed by other kernels."""

    def write(size: float) -> Path:
        rng, moved = np.random.default_rng(0), np.random.default_rng(9)
        weight, bias = 3 * rng.normal(size=(4, 108)), rng.normal(size=4)
        weight += size * moved.normal(size=weight.shape)
        return linear_model(weight, bias, (3, 6, 6), name="rounded.onnx")

    return write


@pytest.fixture
def reference(linear_model: Callable[..., Path]) -> Path:
    rng = np.random.default_rng(0)
    weight, bias = 3 * rng.normal(size=(4, 108)), rng.normal(size=4)
    return linear_model(weight + 0.2, bias + 0.3, (3, 6, 6), name="reference.onnx")


def as_of(model: Path, out: Path) -> None:
    """Have a log say that it is of this model."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["run"]["model"] = open_onnx(model).describe()
        if (known := manifest.get("row_independence")) and "rounded.onnx" in known:
            known[model.name] = known.pop("rounded.onnx")

    edit_manifest(out, change)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_votes_that_turn_are_another_machines(
    mode: str,
    model: Path,
    rounded: Callable[[float], Path],
    reference: Path,
    source: Path,
    tmp_path: Path,
) -> None:
    out, other = tmp_path / "out.tsv", tmp_path / "other.tsv"
    asked = reference if mode == "transferred" else None
    certify_log(model, source, out, ALL_MODES[mode], asked)
    certify_log(rounded(0.01), source, other, ALL_MODES[mode], asked)
    differing = sum(
        a[:5] + a[6:] != b[:5] + b[6:] for a, b in zip(lines_of(out), lines_of(other), strict=True)
    )
    assert differing >= 1
    as_of(model, other)
    report = audit(model, source, other, reference=asked)
    assert len(report.findings) == differing
    assert all("which --another-machine allows" in finding for finding in report.findings)
    report = audit(model, source, other, other=True, reference=asked)
    assert (report.findings, report.repeated) == ([], 12)
    assert report.manner.startswith("another machine, compared within 0.2%")


@pytest.mark.parametrize("mode", ALL_MODES)
def test_another_model_is_no_rounding(
    mode: str,
    model: Path,
    rounded: Callable[[float], Path],
    reference: Path,
    source: Path,
    tmp_path: Path,
) -> None:
    other = tmp_path / "other.tsv"
    asked = reference if mode == "transferred" else None
    certify_log(rounded(0.5), source, other, ALL_MODES[mode], asked)
    as_of(model, other)
    assert audit(model, source, other, other=True, reference=asked).findings


def test_a_tuned_log_needs_the_tolerance(
    model: Path, rounded: Callable[[float], Path], source: Path, tmp_path: Path
) -> None:
    """Kernels that were chosen by measurement may be others in the next process."""
    out = tmp_path / "out.tsv"
    certify_log(rounded(0.01), source, out, MODES["fixed"])
    as_of(model, out)
    edit_manifest(out, lambda manifest: manifest["sessions"][0]["backend"].update(tuned=True))
    assert "(tuned) need" in audit(model, source, out).findings[0]
    assert not audit(model, source, out, other=True).findings


def test_what_a_log_says_of_its_machine_is_not_asked(
    model: Path, rounded: Callable[[float], Path], source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tsv"
    certify_log(rounded(0.01), source, out, MODES["fixed"])
    as_of(model, out)
    edit_manifest(out, lambda manifest: manifest["sessions"][0].update(processor="abacus"))
    assert audit(model, source, out).findings


def put_decision(out: Path, number: int, claim: Decision) -> None:
    row = Certificate.of_fields(dict(zip(COLUMNS, lines_of(out)[number], strict=True)))
    forged = replace(row, decision=claim).fields()
    put(out, number, **{name: forged[name] for name in forged if name != "time"})


def decisions(out: Path) -> list[Decision]:
    rows = lines_of(out)[1:]
    return [Certificate.of_fields(dict(zip(COLUMNS, row, strict=True))).decision for row in rows]


def counted_until(model: Path, source: Path, n: int) -> dict[int, Decision]:
    """Of every image, the votes of the class it is certified for among so many samples."""
    opened = open_onnx(model)
    images = open_source(source, opened.spec, opened.num_classes)
    backend = open_backend(opened, LAW, 3, Compute(backend="onnxruntime", batch=64))
    todo = decoded_ahead(images, range(len(images)))
    found = Scheduler(backend, FixedCertify(0.5, 500, n)).run(todo)
    return {each.index: each.decision for each in found}


def test_a_stop_too_early_is_no_rounding(model: Path, source: Path, tmp_path: Path) -> None:
    """In table mode, with more votes than there were, or with those that there were."""
    out = tmp_path / "out.tsv"
    certify_log(model, source, out, MODES["table"])
    procedure = recorded_procedure(LoggedRun.read(out).run)
    assert isinstance(procedure, TableCertify)
    first, honest = procedure.table.looks[0], decisions(out)
    until = counted_until(model, source, first)
    late = [
        index
        for index, claim in enumerate(honest)
        if claim.drawn > 2 * first and claim.predict >= 0 and until[index].count > first // 2
    ]
    assert late
    votes = until[late[0]].count
    for count, words in ((first, "are not the votes"), (votes, "goes on after look")):
        radius = procedure.radius_of(count, first)
        forged = Decision(honest[late[0]].predict, radius, count, first, 0, first)
        put_decision(out, late[0] + 1, forged)
        for other in (False, True):
            (finding,) = audit(model, source, out, other=other).findings
            assert words in finding or not other
            assert "--another-machine" not in finding


def test_a_size_that_was_not_planned_is_no_rounding(
    model: Path, source: Path, tmp_path: Path
) -> None:
    """In radius mode, with the votes that there are among more samples: a larger radius."""
    out = tmp_path / "out.tsv"
    certify_log(model, source, out, MODES["radius"])
    procedure = recorded_procedure(LoggedRun.read(out).run)
    until, forged = counted_until(model, source, 2000), 0
    for index, claim in enumerate(decisions(out)):
        radius = procedure.radius_of(until[index].count, 2000)
        if 0 <= claim.predict == until[index].predict and claim.radius < radius:
            count = until[index].count
            put_decision(out, index + 1, Decision(claim.predict, radius, count, 2000, 500, 2500))
            forged += 1
    assert forged
    findings = audit(model, source, out, other=True).findings
    assert len(findings) == forged
    assert all("the pilot plans" in finding for finding in findings)


def test_votes_for_another_class_are_no_rounding(model: Path, source: Path, tmp_path: Path) -> None:
    """A fixed n, with the runner-up in place of the class that was selected."""
    out = tmp_path / "out.tsv"
    certify_log(model, source, out, MODES["fixed"])
    claim = decisions(out)[0]
    wrong = (claim.predict + 1) % 4
    lines = lines_of(out)
    lines[1][2], lines[1][4] = str(wrong), str(int(wrong == 0))
    write_lines(out, lines)
    (finding,) = audit(model, source, out, other=True).findings
    assert "are not the votes of the class that was selected" in finding


def test_equal_rows_are_same_and_cost_one_trial(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify_log(model, source, out, MODES["table"])
    run = LoggedRun.read(out).run
    opened = open_onnx(model)
    images = open_source(source, opened.spec, opened.num_classes)
    backend = open_backend(opened, LAW, 3, Compute(backend="onnxruntime", batch=64))
    rows = [dict(zip(columns_of(run), row, strict=True)) for row in lines_of(out)[1:]]
    logged = {int(row["idx"]): Certificate.of_fields(row) for row in rows}
    todo = decoded_ahead(images, [3, 1, 7])
    found = list(repeat(backend, recorded_procedure(run), 4, todo, logged))
    assert {each.logged.index for each in found} == {3, 1, 7}
    assert all(each.same and not each.differing for each in found)


def test_the_tolerance() -> None:
    assert [tolerated(n) for n in (1, 1500, 1501, 100_000)] == [3, 3, 4, 200]
    assert FOREIGN_TOLERANCE == 0.002
