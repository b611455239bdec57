"""Manifests: what they say of a run, and what is no manifest."""

from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import (
    describe_run,
    differences,
    manifest_path,
    read_json,
    read_manifest,
    recorded,
    write_manifest,
)
from smoothcert.engine.statistics.procedures import FixedCertify


def test_a_run_is_its_procedure_and_what_it_is_run_on() -> None:
    procedure = FixedCertify(0.5, 10, 100)
    given = {
        "sigma": 0.5,
        "seed": 1,
        "noise": "a law",
        "total_variation": 1e-15,
        "model": {"sha256": "ab"},
        "backend": "onnxruntime",
        "precision": "fp32",
        "device": "cuda:3",
        "source": {"images": 4},
        "selection": {"skip": 1},
    }
    run = describe_run(procedure, **given, notes={"family_wise": 5})  # type: ignore[arg-type]
    expected = {**procedure.describe(), "family_wise": 5, **given, "device": "cuda"}
    assert list(run.items()) == list(expected.items())  # in this order
    both = describe_run(procedure, **given, transfer_to={"sha256": "cd"})  # type: ignore[arg-type]
    assert list(both)[-1] == "transfer_to"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    assert read_json(log) is None
    with pytest.raises(InputError, match="does not exist: expected the manifest of"):
        read_manifest(log)
    manifest = {"run": {"backend": "openvino", "model": {"name": "m\u00f6del"}}}
    write_manifest(log, manifest)
    assert manifest_path(log).name == "out.tsv.json"
    assert "m\u00f6del" in manifest_path(log).read_text(encoding="utf-8")
    assert read_manifest(log) == read_json(log) == manifest


@pytest.mark.parametrize(
    ("content", "words"), [("{", "expected JSON"), ("[]", "JSON object"), ('{"run": 3}', "`run`")]
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str, words: str) -> None:
    log = tmp_path / "out.tsv"
    manifest_path(log).write_text(content)
    with pytest.raises(InputError, match=words):
        read_manifest(log)


def test_a_backend_is_recorded_where_there_is_a_log_to_resume(tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    write_manifest(log, {"run": {"backend": "openvino"}})
    assert recorded(log, "backend") is None
    log.touch()
    assert recorded(log, "backend") is None
    log.write_text("idx")
    assert recorded(log, "backend") == "openvino"
    write_manifest(log, {"run": {}})
    assert recorded(log, "backend") is None


def test_differences_names_every_key() -> None:
    assert differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}, "d": 4}) == [
        "b.c 2 (log) against 3 (asked)",
        "d None (log) against 4 (asked)",
    ]
