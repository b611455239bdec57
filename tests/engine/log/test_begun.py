"""Whether a run may go on with a log, by its manifest alone."""

from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.begun import begun_manifest
from smoothcert.engine.log.manifest import manifest_path, write_manifest

RUN = {"procedure": "certify", "sigma": 0.25, "n": 100}


def test_a_new_log_has_no_manifest(tmp_path: Path) -> None:
    assert begun_manifest(tmp_path / "log.tsv", RUN, whole=False) == {}


@pytest.mark.parametrize(
    ("status", "whole"),
    [("running", True), ("running", False), ("complete", True), ("undecided", True)],
)
def test_its_own_run_goes_on(tmp_path: Path, status: str, whole: bool) -> None:
    manifest = {"run": RUN, "status": status, "sessions": []}
    write_manifest(tmp_path / "log.tsv", manifest)
    assert begun_manifest(tmp_path / "log.tsv", RUN, whole=whole) == manifest


@pytest.mark.parametrize(
    ("status", "whole", "run", "words"),
    [
        (None, True, RUN, "exists and has no manifest beside it"),
        ("running", True, {**RUN, "n": 200}, "n 100 (log) against 200 (asked)"),
        ("running", False, {**RUN, "n": 200}, "remove it where its log"),
        ("complete", False, RUN, "is of a finished run, and its log"),
    ],
)
def test_what_is_not_is_refused(
    tmp_path: Path, status: str | None, whole: bool, run: dict[str, object], words: str
) -> None:
    log = tmp_path / "log.tsv"
    if status is not None:
        write_manifest(log, {"run": RUN, "status": status, "sessions": []})
    before = [path.read_bytes() for path in (manifest_path(log),) if path.exists()]
    with pytest.raises(InputError) as refused:
        begun_manifest(log, run, whole=whole)
    assert words in str(refused.value)
    assert [path.read_bytes() for path in (manifest_path(log),) if path.exists()] == before
