"""A log with a transfer read as the reference's."""

import json
from pathlib import Path

import pytest

from smoothcert.analysis.log import read_log
from smoothcert.analysis.transferred import transferred
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import COLUMNS, TRANSFER_COLUMNS

HEADER = "\t".join(COLUMNS + TRANSFER_COLUMNS) + "\n"
ROWS = (
    "0\t3\t3\t0.500000\t1\t0:00:01\t990\t1000\t100\t1600\t16256\t01\t3\t0.300000\t5852\t2\t500\t0.02\n"
    "1\t4\t3\t0.100000\t0\t0:00:01\t700\t1000\t100\t1600\t650\t02\t-1\t0.000000\t0\t90\t500\t0.2\n"
    "2\t5\t-1\t0.000000\t0\t0:00:01\t400\t1000\t100\t1100\t0\t03\t-1\t0.000000\t0\t0\t0\t1.0\n"
)


def write(folder: Path, text: str) -> Path:
    path = folder / "a.tsv"
    path.write_text(text)
    run = {"procedure": "certify", "sigma": 0.25, "alpha": 0.001, "alpha_zeta": 0.002}
    (folder / "a.tsv.json").write_text(json.dumps({"run": run, "status": "running"}))
    return path


def test_the_references_columns_take_the_models_place(tmp_path: Path) -> None:
    log = transferred(read_log(write(tmp_path, HEADER + ROWS)))
    assert log.predict.tolist() == [3, -1, -1]
    assert log.radius.tolist() == [0.3, 0.0, 0.0]
    assert log.correct.tolist() == [True, False, False]
    assert log.covers is not None
    assert log.covers.tolist() == [5852, 0, 0]
    assert log.alpha == pytest.approx(0.003)


def test_a_log_that_a_shell_wrote_as_utf_16(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.write_bytes((HEADER + ROWS).encode("utf-16"))
    assert transferred(read_log(path)).predict.tolist() == [3, -1, -1]


@pytest.mark.parametrize("missing", ["alpha", "alpha_zeta"])
def test_a_level_of_which_half_is_missing_is_none(tmp_path: Path, missing: str) -> None:
    path = write(tmp_path, HEADER + ROWS)
    manifest = json.loads((tmp_path / "a.tsv.json").read_text())
    del manifest["run"][missing]
    (tmp_path / "a.tsv.json").write_text(json.dumps(manifest))
    assert transferred(read_log(path)).alpha is None


def test_an_alpha_zeta_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + ROWS)
    text = (tmp_path / "a.tsv.json").read_text()
    (tmp_path / "a.tsv.json").write_text(text.replace("0.002", "-1"))
    with pytest.raises(InputError, match=r"has run\.alpha_zeta -1"):
        transferred(read_log(path))


def test_a_log_without_transfer_is_refused(tmp_path: Path) -> None:
    rows = [line.split("\t")[: len(COLUMNS)] for line in (HEADER + ROWS).splitlines()]
    path = write(tmp_path, "".join("\t".join(row) + "\n" for row in rows))
    with pytest.raises(InputError, match="transfers no certificates"):
        transferred(read_log(path))
