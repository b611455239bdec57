"""Manifests: what they say of a run, and what is no manifest."""

from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import (
    changed_circumstances,
    describe_run,
    differences,
    manifest_path,
    read_json,
    read_manifest,
    recorded,
    recorded_seed,
    recorded_selection,
    row_independence,
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
    manifest = {"run": {"backend": "openvino", "model": {"name": "m\u00f6del"}}, "sessions": []}
    write_manifest(log, manifest)
    assert manifest_path(log).name == "out.tsv.json"
    assert "m\u00f6del" in manifest_path(log).read_text(encoding="utf-8")
    assert read_manifest(log) == read_json(log) == manifest
    assert manifest_path(log).read_text(encoding="utf-8").startswith('{\n "run": {\n  "backend"')


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "expected JSON"),
        ("[]", "JSON object"),
        ('{"run": 3}', "has run 3: expected an object"),
        ('{"sessions": []}', "has no run, which a run that is resumed needs"),
        ('{"run": {}}', "has no sessions, which"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str, words: str) -> None:
    log = tmp_path / "out.tsv"
    manifest_path(log).write_text(content)
    with pytest.raises(InputError, match=words):
        read_manifest(log)


def test_a_backend_is_recorded_where_there_is_a_log_to_resume(tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    assert recorded(log, "backend") is None
    write_manifest(log, {"run": {"backend": "openvino"}, "sessions": []})  # before the log
    assert recorded(log, "backend") == "openvino"
    write_manifest(log, {"run": {}, "sessions": []})
    assert recorded(log, "backend") is None


def test_a_seed_is_recorded_where_there_is_a_log_to_resume(tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    assert recorded_seed(log) is None
    write_manifest(log, {"run": {"seed": 2**64 - 1}, "sessions": []})
    assert recorded_seed(log) == 2**64 - 1
    write_manifest(log, {"run": {}, "sessions": []})
    with pytest.raises(InputError, match=r"has no run\.seed, which a run that is resumed needs"):
        recorded_seed(log)
    for run in ({}, {"seed": "7"}, {"seed": 7.0}):
        write_manifest(log, {"run": run, "sessions": []})
        with pytest.raises(InputError, match=r"has (no )?run\.seed"):
            recorded_seed(log)


def test_differences_names_every_key() -> None:
    assert differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}, "d": 4}) == [
        "b.c 2 (log) against 3 (asked)",
        "d None (log) against 4 (asked)",
    ]


def session(verdict: str, reference: str | None = None, **backend: object) -> dict[str, Any]:
    described: dict[str, Any] = {"row_independence": {"verdict": verdict}, **backend}
    if reference is not None:
        described["reference"] = {"row_independence": {"verdict": reference}}
    return {"processor": "p", "packages": {"numpy": "2"}, "backend": described}


def test_differences_of_long_lists_are_shown_from_where_they_differ() -> None:
    old = {"selection": {"chosen": ",".join(map(str, range(0, 400, 2)))}}
    new = {"selection": {"chosen": old["selection"]["chosen"].replace(",300,", ",301,")}}
    (words,) = differences(old, new)
    assert "298,300,302" in words
    assert "298,301,302" in words
    assert len(words) < 160
    (words,) = differences({"selection": {}}, new)
    assert words.startswith("selection.chosen None (log) against 0,2,4,6")
    assert len(words) < 120
    assert len(differences({"a": "x" * 100}, {"a": 1})[0]) > 100  # as it is


def test_differences_are_one_line_of_whatever_length_the_log_is() -> None:
    (words,) = differences({"a\n\x1b": "b\n" * 999}, {})
    assert words.isprintable()
    assert len(words) < 160
    many = differences({f"{i:03d}": "x" for i in range(999)}, {})
    assert len(many) == 21
    assert many[-1] == "and more"


def test_a_selection_is_recorded_where_there_is_a_log_to_resume(tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    assert recorded_selection(log) is None
    write_manifest(log, {"run": {"selection": {"skip": 2}}, "sessions": []})
    assert recorded_selection(log) == {"skip": 2}
    for run in ({}, {"selection": [1]}):
        write_manifest(log, {"run": run, "sessions": []})
        with pytest.raises(InputError, match=r"has (no )?run\.selection"):
            recorded_selection(log)


def test_row_independence_is_the_weakest_of_all_sessions() -> None:
    run = {"model": {"name": "m.onnx"}, "transfer_to": {"name": "r.onnx"}}
    proven, probed = session("proven", "proven"), session("probed", "proven")
    assert row_independence(run, [proven]) == {"m.onnx": "proven", "r.onnx": "proven"}
    for sessions in ([proven, probed], [probed, proven], [probed]):
        assert row_independence(run, sessions) == {"m.onnx": "probed", "r.onnx": "proven"}
    assert row_independence({"model": {"name": "m.onnx"}}, [proven]) == {"m.onnx": "proven"}
    assert row_independence(run, [{"backend": {}}, {}]) is None
    of_reference = {"backend": {"reference": {"row_independence": {"verdict": "proven"}}}}
    assert row_independence(run, [of_reference]) == {"r.onnx": "proven"}


def test_changed_circumstances_are_those_of_no_earlier_session() -> None:
    one = session("proven", threads=1, runtime="r 1")
    two = session("probed", threads=2, runtime="r 2")
    assert changed_circumstances([], one) == []
    assert changed_circumstances([one, two], one) == []
    assert changed_circumstances([one], {**one, "model_path": "elsewhere"}) == []
    assert changed_circumstances([one], two) == [
        "runtime r 1 (log) against r 2 (asked)",
        "threads 1 (log) against 2 (asked)",
    ]
    newer = {**one, "packages": {"numpy": "3"}}
    assert changed_circumstances([one], newer) == ["packages.numpy 2 (log) against 3 (asked)"]
    assert changed_circumstances([one, newer], two)[0].startswith("packages.numpy 3 (log)")


@pytest.mark.parametrize("name", ["python", "system", "processor", "packages"])
def test_every_circumstance_of_a_session_counts(name: str) -> None:
    one = session("proven")
    assert changed_circumstances([one], {**one, name: "new"})[0].startswith(name)


@pytest.mark.parametrize(
    "name", ["runtime", "threads", "batch", "device", "driver", "launches", "tf32", "tuned"]
)
def test_every_circumstance_of_a_backend_counts(name: str) -> None:
    assert changed_circumstances([session("proven")], session("proven", None, **{name: 8})) == [
        f"{name} None (log) against 8 (asked)"
    ]
