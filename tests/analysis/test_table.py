"""Tables: their figures, their radii, and when they promise more than an average."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from smoothcert.analysis.accuracy import wrong_certificates
from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.report.payload import failure_probability
from smoothcert.analysis.table import Row, accuracy_table, check_radii
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def row(index: int, radius: float, correct: int) -> str:
    return f"{index}\t1\t{1 if correct else 2}\t{radius}\t{correct}\t1.0\n"


def write(folder: Path, name: str, *rows: str, run: dict[str, object] | None = None) -> Log:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HEADER + "".join(rows))
    if run is not None:
        (folder / f"{name}.json").write_text(json.dumps({"run": run, "status": "complete"}))
    return read_log(folder / name)


def test_figures_of_a_log(tmp_path: Path) -> None:
    log = write(tmp_path, "a.tsv", row(0, 0.6, 1), row(1, 0.9, 0), run={"sigma": 0.5})
    (figures,) = accuracy_table([log], [0.25, 0.75]).rows
    assert figures == Row("a", 0.5, 2, True, [0.5, 0.0], None, 0.5, 0.0, 0.3)


def test_the_bound_comes_when_asked_for(tmp_path: Path) -> None:
    rows = [row(i, 0.5, 1) for i in range(100)]
    known = write(tmp_path, "known.tsv", *rows, run={"alpha": 0.01})
    unknown = write(tmp_path, "unknown.tsv", *rows)

    def lower(*logs: Log, alpha: float | None = None, rho: float | None = None) -> object:
        return [r.lower for r in accuracy_table(logs, [0.5], alpha, rho).rows]

    assert lower(known, unknown) == [None, None]
    expected = [pytest.approx(1 - wrong_certificates(100, 0.01, 0.001) / 100)]
    assert lower(known, rho=0.001) == [expected]
    assert lower(known, unknown, alpha=0.01) == [expected, expected]
    with pytest.raises(InputError, match=r"unknown.tsv has no manifest that tells its alpha"):
        lower(known, unknown, rho=0.001)
    for bad in (0.0, 1.0, 1e-13, float("nan")):
        with pytest.raises(InputError, match=r"rho .* is out of range"):
            lower(known, rho=bad)
    with pytest.raises(InputError, match=r"alpha 2.0 is out of range"):
        lower(unknown, alpha=2.0)


def test_an_alpha_below_the_runs_is_refused(tmp_path: Path) -> None:
    log = write(tmp_path, "a.tsv", row(0, 0.5, 1), run={"alpha": 0.05})
    with pytest.raises(InputError, match=r"alpha 1e-06 is below 0.05, with which .*a.tsv was"):
        accuracy_table([log], [0.5], alpha=1e-6)
    assert accuracy_table([log], [0.5], alpha=0.1).rows[0].lower is not None


def test_logs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    def names(*paths: str) -> list[str]:
        logs = [write((tmp_path / p).parent, Path(p).name, row(0, 0.5, 1)) for p in paths]
        return [r.name for r in accuracy_table(logs, [0.0]).rows]

    assert names("c/x/s.tsv", "d/x/s.tsv", "d/x/t.tsv") == ["c/x/s", "d/x/s", "t"]
    assert names("e/s.tsv", "e/s.tsv") == ["s", "s"]
    assert names("f/sigma_0.25", "f/sigma_0.50") == ["sigma_0.25", "sigma_0.50"]
    assert names("g/s", "g/s.tsv") == ["s", "s.tsv"]
    assert names("h/x.tsv", "h/y/h/x.tsv")[1] == "y/h/x"


def test_radii_are_checked() -> None:
    assert check_radii([1.0, 0.0, 1.0]) == [0.0, 1.0]
    for bad in ([], [-1.0], [float("nan")], [float("inf")]):
        with pytest.raises(InputError, match="radii"):
            check_radii(bad)


def table_mode_log(tmp_path: Path, status: str = "complete") -> Log:
    path = tmp_path / "tabled.tsv"
    path.write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.6\t1\t1.0\n")
    run = {"procedure": "table", "radii": [0.0, 0.5], "sigma": 0.5, "alpha": 0.001}
    manifest = {"run": run, "status": status, "images": 1}
    path.with_name("tabled.tsv.json").write_text(json.dumps(manifest))
    return read_log(path)


def test_a_table_mode_log_is_read_at_its_own_radii(tmp_path: Path) -> None:
    log = table_mode_log(tmp_path)
    (row,) = accuracy_table([log], [0.5]).rows
    assert (row.accuracy, row.table_mode) == ([1.0], True)
    with pytest.raises(InputError, match=r"decides the radii 0\.0, 0\.5; at 0\.3 it would"):
        accuracy_table([log], [0.0, 0.3])


def with_run(log: Log, status: str, **run: object) -> Log:
    return replace(log, manifest={"run": {"alpha": 0.001, **run}, "status": status})


@pytest.mark.parametrize(
    ("run", "refused"),
    [
        ({"procedure": "table", "radii": [0.0, 0.5]}, True),
        ({"procedure": "radius"}, True),
        ({"procedure": "transfer"}, True),  # as `analyze --transferred` reads a log
        ({"procedure": "certify", "n_zeta": 500}, True),  # abstentions need no paired samples
        ({"procedure": "guess"}, True),
        ({}, True),
        ({"procedure": "certify"}, False),
        ({"procedure": "predict"}, False),
    ],
)
def test_unfinished_logs_whose_rows_follow_their_results_have_no_bound(
    tmp_path: Path, run: dict[str, object], refused: bool
) -> None:
    log = write(tmp_path, "a.tsv", row(0, 0.5, 1))
    unfinished, finished = with_run(log, "running", **run), with_run(log, "complete", **run)
    assert accuracy_table([unfinished], [0.5]).rows[0].lower is None
    assert accuracy_table([finished], [0.5], rho=0.01).rows[0].lower is not None
    assert failure_probability(finished, None) == 0.001
    assert (failure_probability(unfinished, None) is None) == refused
    for asked in ({"rho": 0.01}, {"alpha": 0.01}):
        if refused:
            with pytest.raises(InputError, match=r"a.tsv is an unfinished run whose rows come in"):
                accuracy_table([unfinished], [0.5], **asked)
        else:
            assert accuracy_table([unfinished], [0.5], **asked).rows[0].lower is not None


def test_a_growing_log_of_the_original_code_has_a_bound(tmp_path: Path) -> None:
    """It comes in the order of its images."""
    (tmp_path / "a").write_text(HEADER + row(0, 0.5, 1) + "1\t1")
    log = read_log(tmp_path / "a")
    assert not log.complete
    assert accuracy_table([log], [0.5], alpha=0.01).rows[0].lower is not None
    assert failure_probability(log, 0.01) == 0.01


def test_an_alpha_that_nothing_keeps_has_no_bound(tmp_path: Path) -> None:
    log = write(tmp_path, "a.tsv", row(0, 0.5, 1), run={"alpha": 1e-17})
    with pytest.raises(InputError, match=r"certified with alpha 1e-17, which no bound keeps"):
        accuracy_table([log], [0.5], rho=0.01)
    assert failure_probability(log, None) is None
    assert accuracy_table([log], [0.5], alpha=0.001).rows[0].lower is not None
