"""An audit confirms honest logs of every mode, and finds whatever was forged or left out."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_logs import (
    AUDIT_SEED,
    MODES,
    audit,
    certified_row,
    certify_log,
    edit,
    edit_manifest,
    lines_of,
    put,
    write_lines,
)
from scipy import special

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import COLUMNS, Certificate
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.run.audit import AuditReport, audit_log, turned_votes
from smoothcert.engine.run.audit_manifest import LoggedRun
from smoothcert.engine.sources import open_source
from smoothcert.engine.statistics.bounds import (
    covered_squared_distance,
    failure_bound,
    round_down,
)
from smoothcert.engine.statistics.procedures import Decision
from smoothcert.engine.statistics.recorded import recorded_procedure
from smoothcert.options import CertifyOptions

_WRITTEN: dict[CertifyOptions, tuple[bytes, bytes]] = {}


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def private_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere, but one for all of these tests: they audit one model."""
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(shared_cache))


def certify(model: Path, source: Path, out: Path, options: CertifyOptions) -> None:
    """The log of a run, which is made once for all tests."""
    if options not in _WRITTEN:
        certify_log(model, source, out, options)
        _WRITTEN[options] = out.read_bytes(), Path(f"{out}.json").read_bytes()
    for path, content in zip((out, Path(f"{out}.json")), _WRITTEN[options], strict=True):
        path.write_bytes(content)


@pytest.fixture
def fixed(model: Path, source: Path, tmp_path: Path) -> Path:
    """A complete log of fixed n."""
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["fixed"])
    return out


@pytest.mark.parametrize("mode", MODES)
def test_honest_logs_pass_bit_for_bit(mode: str, model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES[mode])
    assert audit(model, source, out) == AuditReport(12, 12, True, AUDIT_SEED, [])
    assert audit(model, source, out, other=True) == AuditReport(12, 12, False, AUDIT_SEED, [])


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("label", lambda v: str((int(v) + 1) % 4)),
        ("label", lambda v: "9" * 4000),
        ("predict", lambda v: str((int(v) + 1) % 4)),
        ("predict", lambda v: "-1"),
        ("predict", lambda v: "4"),
        ("predict", lambda v: "-2"),
        ("radius", lambda v: f"{float(v) + 1e-6:.6f}"),
        ("radius", lambda v: f"{float(v) - 1e-6:.6f}"),
        ("radius", lambda v: "nan"),
        ("radius", lambda v: "inf"),
        ("radius", lambda v: v + "0"),
        ("correct", lambda v: str(1 - int(v))),
        ("time", lambda v: "-1:00:00.000000"),
        ("count", lambda v: str(int(v) - 1)),
        ("count", lambda v: "+" + v),
        ("count", lambda v: str(-int(v))),
        ("count", lambda v: "1e2"),
        ("count", lambda v: "9" * 5000),
        ("n", lambda v: str(int(v) - 1)),
        ("n", lambda v: str(10**12)),
        ("n0", lambda v: str(int(v) + 1)),
        ("n0", lambda v: "-5"),
        ("drawn", lambda v: str(int(v) + 1)),
        ("drawn", lambda v: "9" * 4000),
        ("covers", lambda v: str(int(v) + 1)),
        ("pixels", lambda v: f"{int(v, 16) ^ 1:016x}"),
        ("pixels", lambda v: v.upper() + "\r"),
    ],
)
@pytest.mark.parametrize("mode", ["fixed", "table"])
def test_an_edited_field_is_found(
    mode: str,
    column: str,
    change: Callable[[str], str],
    model: Path,
    source: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES[mode])
    edit(out, certified_row(out), column, change)
    findings = audit(model, source, out).findings
    assert findings
    assert all(finding.isprintable() and len(finding) < 400 for finding in findings)


def test_arithmetic_alone_finds_a_raised_radius(model: Path, source: Path, fixed: Path) -> None:
    edit(fixed, certified_row(fixed), "radius", lambda v: f"{float(v) + 0.1:.6f}")
    report = audit(model, source, fixed, rows=0)
    assert report.repeated == 0
    assert any("radius" in finding for finding in report.findings)


def test_a_negative_total_variation_is_found(model: Path, source: Path, fixed: Path) -> None:
    """With it every radius is larger, and the log consistent in itself."""
    lines, raised = lines_of(fixed), 0
    for number, line in enumerate(lines[1:], 1):
        row = Certificate.of_fields(dict(zip(COLUMNS, line, strict=True)))
        claim = row.decision
        if claim.predict >= 0:
            tail = float(failure_bound(claim.count, claim.n, 0.001)) - 0.05
            radius = float(round_down(-0.5 * special.ndtri(max(tail, 1e-9))))
            raised += radius > claim.radius
            forged = replace(row, decision=replace(claim, radius=radius)).fields()
            put(fixed, number, radius=forged["radius"], covers=forged["covers"])
    assert raised
    edit_manifest(fixed, lambda m: m["run"].update(total_variation=-0.05))
    findings = audit(model, source, fixed).findings
    assert sum("radius" in finding for finding in findings) == raised
    assert any(f.startswith("manifest: total_variation -0.05 where") for f in findings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: run.update(total_variation=0.0), "total_variation 0.0 where"),
        (lambda run: run.pop("total_variation"), "total_variation None where"),
        (lambda run: run.update(noise="white"), "noise 'white' where"),
        (lambda run: run["model"].update(classes=7), "model.classes 7 where 4"),
        (lambda run: run["model"].update(arch="resnet"), "model.arch 'resnet' where None"),
        (lambda run: run["model"].update(precision="int8"), "model.precision 'int8' where 'fp32'"),
        (lambda run: run["model"].update(input_shape=[3, 7, 7]), "model.input_shape"),
        (lambda run: run["model"].update(mean=[0.5] * 3), "model.mean"),
        (lambda run: run["model"].update(note=[0.5] * 3), "model.note"),
        (lambda run: run["source"].update(images=13), "source.images 13 where 12"),
        (lambda run: run["source"].update(kind="tar"), "source.kind 'tar' where 'npz'"),
        (lambda run: run["source"].update(classes=4), "source.classes 4 where None"),
        (lambda run: run["selection"].update(more=1), "selection.more 1 where None"),
        (lambda run: run["selection"].update(max=6), "0 selected images have no row, and 6 rows"),
        (lambda run: run["selection"].update(max=6), "images 12 where 6 are selected"),
        (lambda run: run.update(alpha=0.002), "gives"),
        (lambda run: run.update(sigma=0.6), "gives"),
        (lambda run: run.update(n=301), "n is 300: expected 301"),
        (lambda run: run.update(n=10**9), "n is 300: expected 1000000000"),
        (lambda run: run.update(n0=21), "n0 is 20: expected 21"),
        (lambda run: run.update(seed=4), "when certified again"),
        (lambda run: run.update(family_wise=11), "family_wise 11 where 12 images share alpha"),
        (lambda run: run.update(extra=1), "extra 1 where None"),
    ],
)
def test_a_false_entry_of_the_manifest_is_found(
    change: Callable[[dict[str, Any]], object], words: str, model: Path, source: Path, fixed: Path
) -> None:
    edit_manifest(fixed, lambda manifest: change(manifest["run"]))
    findings = audit(model, source, fixed).findings
    assert any(words in finding for finding in findings), findings


@pytest.mark.parametrize(
    ("name", "value"), [("precision", "int8"), ("device", "cpu:1"), ("backend", "abacus")]
)
def test_a_run_that_cannot_be_opened_is_one_line(
    name: str, value: str, model: Path, source: Path, fixed: Path
) -> None:
    edit_manifest(fixed, lambda manifest: manifest["run"].update({name: value}))
    with pytest.raises(InputError, match=f"{name} '?{value}'?") as caught:
        audit(model, source, fixed)
    assert "\n" not in str(caught.value)


def test_files_may_have_other_names(model: Path, source: Path, fixed: Path) -> None:
    moved = model.rename(model.with_name("m.onnx")), source.rename(source.with_name("i.npz"))
    assert not audit(*moved, fixed).findings


@pytest.mark.parametrize("value", ["no", None, [], {}, True, float("nan"), -1, 10**30])
@pytest.mark.parametrize("name", ["sigma", "seed", "n", "n0", "alpha", "procedure", "backend",
                                  "device", "model", "source", "selection"])  # fmt: skip
def test_wrong_types_in_a_run_are_one_line(
    name: str, value: object, model: Path, source: Path, fixed: Path
) -> None:
    edit_manifest(fixed, lambda manifest: manifest["run"].update({name: value}))
    with pytest.raises(InputError) as caught:
        audit(model, source, fixed)
    assert "\n" not in str(caught.value)
    edit_manifest(fixed, lambda manifest: manifest["run"].pop(name))
    with pytest.raises(InputError):
        audit(model, source, fixed)


_BESIDE: list[tuple[str, object]] = [
    (name, value)
    for name in ("sessions", "status", "images", "failed", "row_independence")
    for value in (None, [], [7], True, "x", [{"backend": 7}, {}, 1])
]
_OF_ITS_TYPE: dict[tuple[str, str], str] = {
    ("sessions", "[]"): "sessions are none",
    ("status", "'x'"): "the log is not complete (status 'x')",
    ("images", "None"): "images None where 12 are selected",
    ("failed", "[]"): "",
}
"""What is found in an entry that is of its type: nothing in a list of no failures."""


@pytest.mark.parametrize(("name", "value"), _BESIDE, ids=[f"{n}-{v}" for n, v in _BESIDE])
def test_another_value_beside_the_run_is_found_or_refused(
    name: str, value: object, model: Path, source: Path, fixed: Path
) -> None:
    edit_manifest(fixed, lambda manifest: manifest.update({name: value}))
    expected = _OF_ITS_TYPE.get((name, repr(value)))
    if expected is None:
        with pytest.raises(InputError, match=rf"^[^\n]* {name}[^\n]*$"):
            audit(model, source, fixed, rows=1)
        return
    findings = audit(model, source, fixed, rows=1).findings
    assert len(findings) == len(expected.split()[:1])
    assert all(expected in finding for finding in findings)


@pytest.mark.parametrize("name", ["status", "images", "sessions"])
def test_what_is_missing_beside_the_run_is_told(
    name: str, model: Path, source: Path, fixed: Path
) -> None:
    edit_manifest(fixed, lambda manifest: manifest.pop(name))
    if name == "sessions":
        with pytest.raises(InputError, match="has no sessions, which an audit needs"):
            audit(model, source, fixed, rows=1)
    else:
        assert audit(model, source, fixed, rows=1).findings


def test_pilots_that_no_row_drew_are_refused(model: Path, source: Path, tmp_path: Path) -> None:
    """What a pilot plans, for each of its counts, takes time."""
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["radius"])
    edit_manifest(out, lambda manifest: manifest["run"].update(n0=10**6))
    with pytest.raises(InputError, match="n0 1000000 of the manifest is more than any row"):
        audit(model, source, out)
    edit_manifest(out, lambda manifest: manifest["run"].update(n0=10**9))
    with pytest.raises(InputError, match="pilot 1000000000 is out of range"):
        audit(model, source, out)


def test_an_abstention_that_its_votes_contradict_is_found(
    model: Path, source: Path, fixed: Path
) -> None:
    row = certified_row(fixed)
    label = lines_of(fixed)[row][1]
    put(fixed, row, predict=-1, radius="0.000000", covers=0, correct=int(label == "-1"))
    (finding,) = audit(model, source, fixed, rows=0).findings
    assert "abstains, where" in finding


def test_a_stop_that_no_votes_allow_is_found(model: Path, source: Path, tmp_path: Path) -> None:
    """In table mode, before every radius is certified or given up."""
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["table"])
    procedure = recorded_procedure(LoggedRun.read(out).run)
    row = certified_row(out)
    count = next(
        count for count in range(512, 0, -1) if procedure.radius_of(count, 512) < 0.4
    )  # of the radius 0.5 there is hope
    radius = procedure.radius_of(count, 512)
    covers = covered_squared_distance(radius)
    put(out, row, radius=f"{radius:.6f}", count=count, n=512, drawn=512, covers=covers)
    (finding,) = audit(model, source, out, rows=0).findings
    assert "sampling goes on after look 512" in finding


def test_votes_that_turn_when_drawn_twice_are_found() -> None:
    row = Certificate(3, 1, Decision(1, 0.5, 90, 100, 10, 110), 0.0, "00" * 8, 4, 0)
    turned = replace(row, turned=2)
    assert not turned_votes(row, another_machine=False, bitwise=True)
    for other in (False, True):
        (finding,) = turned_votes(turned, another_machine=other, bitwise=True)
        assert finding == "image 3: 2 of 4 rows drawn twice here got another vote"
    (finding,) = turned_votes(turned, another_machine=False, bitwise=False)
    assert "--another-machine allows" in finding
    assert not turned_votes(turned, another_machine=True, bitwise=False)


def test_boundaries_are_recomputed(model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    certify(model, source, out, MODES["table"])
    edit_manifest(out, lambda manifest: manifest["run"].update(boundaries="00"))
    assert "boundaries '00' where" in audit(model, source, out).findings[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], "1 selected images have no row, and 0 rows"),
        (lambda lines: [*lines, lines[3]], "line 14 repeats image 2 of line 4"),
        (lambda lines: [lines[0], *lines[:0:-1]], "not in the order"),
        (lambda lines: lines[1:], "line 1 is"),
        (lambda lines: [[*lines[0][:-1], "pixel"], *lines[1:]], "line 1 is"),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "line 13 has not 12 fields"),
        (lambda lines: [*lines, ["99", *lines[-1][1:]]], "image 99: is not in the source of 12"),
        (lambda lines: [*lines[:-1], ["011", *lines[-1][1:]]], "begins with no image's index"),
        (lambda lines: [*lines[:-1], ["٣", *lines[-1][1:]]], "begins with no image's index"),
        (lambda lines: [*lines[:-1], ["9" * 5000, *lines[-1][1:]]], "begins with no image's index"),
        (lambda lines: [*lines[:-1], [""]], "has not 12 fields: ''"),
    ],
)
def test_a_damaged_log_is_found(
    change: Callable[[list[list[str]]], list[list[str]]],
    words: str,
    model: Path,
    source: Path,
    fixed: Path,
) -> None:
    write_lines(fixed, change(lines_of(fixed)))
    report = audit(model, source, fixed)
    assert any(words in finding for finding in report.findings), report.findings
    assert report.repeated >= 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-1], "the last line is torn"),
        (lambda text: text[:-9], "the last line is torn"),
        (lambda text: text + b"\xff\n", "line 14 is not UTF-8"),
        (lambda text: text.replace(b"\n", b"\r\n"), "line 1 is"),
        (lambda text: b"", "line 1 is"),
    ],
)
def test_damaged_bytes_are_found(
    change: Callable[[bytes], bytes], words: str, model: Path, source: Path, fixed: Path
) -> None:
    fixed.write_bytes(change(fixed.read_bytes()))
    findings = audit(model, source, fixed).findings
    assert any(words in finding for finding in findings), findings


def test_incomplete_runs_are_found(model: Path, source: Path, fixed: Path) -> None:
    edit_manifest(fixed, lambda manifest: manifest.update(status="running"))
    write_lines(fixed, lines_of(fixed)[:8])
    assert audit(model, source, fixed).findings == [
        "the log is not complete (status 'running'): 7 of 12 selected images have a row; resume it "
        "with its own command",
        "5 selected images have no row, and 0 rows are of images that were not selected",
    ]
    failed = [{"idx": index, "reason": "gone"} for index in range(7, 12)]
    edit_manifest(fixed, lambda manifest: manifest.update(status="partial", failed=failed))
    findings = audit(model, source, fixed).findings
    assert "the log is partial: 5 images could not be certified (image 7: gone)" in findings[0]
    edit_manifest(fixed, lambda manifest: manifest.update(failed=[]))
    assert "failed names no image" in audit(model, source, fixed).findings[0]


def test_a_log_that_cannot_be_audited_is_refused(model: Path, source: Path, fixed: Path) -> None:
    without = [line[:-1] for line in lines_of(fixed)]
    write_lines(fixed, without)
    with pytest.raises(InputError, match=r"no column pixels.*an earlier version"):
        audit(model, source, fixed)
    fixed.unlink()
    with pytest.raises(InputError, match=r"out\.tsv does not exist: expected a log"):
        audit(model, source, fixed)
    Path(f"{fixed}.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot be read as a manifest"):
        audit(model, source, fixed)
    Path(f"{fixed}.json").unlink()
    with pytest.raises(InputError, match="does not exist"):
        audit(model, source, fixed)


def test_another_source_is_refused(model: Path, source: Path, fixed: Path) -> None:
    np.savez(source, images=np.zeros((12, 6, 6, 3), np.uint8), labels=np.arange(12) % 4)
    with pytest.raises(InputError, match="not the log's"):
        audit(model, source, fixed)


def test_a_row_of_another_image_is_found_by_its_pixels(
    model: Path, source: Path, fixed: Path
) -> None:
    """Whatever rows are certified again: here none."""
    lines = lines_of(fixed)
    lines[3][-1], lines[4][-1] = lines[4][-1], lines[3][-1]
    write_lines(fixed, lines)
    findings = audit(model, source, fixed, rows=0).findings
    assert [finding.partition(" where")[0] for finding in findings] == [
        f"image 2: pixels {lines[3][-1]}",
        f"image 3: pixels {lines[4][-1]}",
    ]


def test_rows_are_chosen_by_fresh_randomness_or_the_seed(
    model: Path, source: Path, fixed: Path
) -> None:
    opened = open_onnx(model)
    images = open_source(source, opened.spec, opened.num_classes)
    logged = LoggedRun.read(fixed)
    seeds = {audit_log(logged, opened, images, rows=1).seed for _ in range(3)}
    assert len(seeds) == 3
    edit_manifest(fixed, lambda manifest: manifest["run"].update(seed=4))
    logged = LoggedRun.read(fixed)
    found = {
        (seed, *audit_log(logged, opened, images, rows=3, seed=seed).findings)
        for seed in (1, 1, 2, 2)
    }
    assert len(found) == 2
    assert len({each[1:] for each in found}) == 2


@pytest.mark.parametrize(("rows", "repeated"), [(6, 2), (7, 0), (7, 7), (9, 3)])
def test_the_chance_to_escape_is_that_of_all_choices(rows: int, repeated: int) -> None:
    report = AuditReport(rows, repeated, True, 0, [])
    choices = list(itertools.combinations(range(rows), repeated))
    for forged in range(rows + 1):
        missed = sum(min(chosen, default=rows) >= forged for chosen in choices)
        assert report.escape(forged) == missed / len(choices)
    with pytest.raises(InputError, match=r"expected 0 \.\. "):
        report.escape(rows + 1)
