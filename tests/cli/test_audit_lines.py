"""The audit command as a user runs it: what it prints, and exit codes."""

import re
from pathlib import Path

import pytest
from forged_logs import AUDIT_SEED, MODES, certify_log, edit_manifest, put

from smoothcert.cli.main import main


@pytest.fixture
def log(model: Path, source: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out.tsv"
    certify_log(model, source, out, MODES["fixed"])
    return out


def audit(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, list[str]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        main(["audit", *map(str, arguments)])
    said = capsys.readouterr()
    return done.value.code, (said.out + said.err).splitlines()


def test_an_honest_log(log: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, (line, chances) = audit(capsys, log, source, "--rows", 3)
    assert code == 0
    found = re.fullmatch(
        rf"{re.escape(str(log))}: 12 rows recomputed, 3 certified again \(seed (\d+)\), "
        "compared bit for bit: no findings",
        line,
    )
    assert found
    # Of 12 rows 3 are repeated: C(11, 3) / C(12, 3), C(10, 3) / C(12, 3).
    assert chances == (
        "forged rows all escape being certified again with probability 0.75 (1 of them), "
        "0.545 (2 of them)"
    )
    again, (same, _) = audit(capsys, log, source, "--rows", 3, "--seed", found[1])
    assert (again, same) == (0, line)


def test_another_machines_log_is_called_so(
    log: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = audit(capsys, log, source, "--another-machine", "--seed", AUDIT_SEED)
    assert code == 0
    assert lines[0].endswith(
        "12 certified again (seed 5), another machine, compared within 0.2% of the votes "
        "(at least 3) at every look: no findings"
    )


def test_findings_are_lines_and_exit_1(
    log: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(log, 3, radius="9.000000")
    code, lines = audit(capsys, log, source, "--rows", 3)
    assert code == 1
    assert lines[0].startswith("image 2: radius 9.000000 where")
    assert lines[-1].endswith("compared bit for bit: 1 findings")
    assert len(lines) == 2


def test_many_findings_are_counted(
    log: Path, source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smoothcert.cli.audit.MOST_FINDINGS", 4)
    edit_manifest(log, lambda manifest: manifest["run"].update(n=301))
    code, lines = audit(capsys, log, source)
    assert (code, len(lines)) == (1, 6)
    assert lines[4] == "... and 8 more findings"
    assert lines[5].endswith(": 12 findings")


def test_what_cannot_be_audited_exits_2(
    log: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_manifest(log, lambda manifest: manifest["run"].update(seed="0"))
    code, (line,) = audit(capsys, log, source)
    assert code == 2
    assert "has run.seed '0': expected a whole number" in line
