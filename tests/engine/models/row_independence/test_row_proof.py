"""The door: files in, verdicts out, remembered."""

import json
import sys
from pathlib import Path

import onnx
import pytest
from row_graphs import proven, refused

from smoothcert.engine.base.files import cache_folder
from smoothcert.engine.models.row_independence import proof as door
from smoothcert.engine.models.row_independence.proof import Proof, prove, remembered_proof

SHAPE = (1, 2, 2)
SOUND = "a = Relu(x) y = Flatten(a) z = ReduceMax(x)"
MIXED = "m = ReduceMean(x) s = Sub(x, m) y = Flatten(s)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    onnx.save(proven(SOUND, shape="N,1,2,2").model(), str(file))
    return file


def test_a_file_is_proven_or_refused(path: Path) -> None:
    assert prove(path, SHAPE) == Proof("proven")
    assert prove(path, SHAPE, "z").operator == "ReduceMax"
    onnx.save(refused("ReduceMean", MIXED, shape="N,1,2,2").model(), str(path))
    assert prove(path, SHAPE).verdict == "refused"
    assert prove(path, SHAPE, batch=1).verdict == "proven"


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\x08\x08:\xff\xff\xff\xff\xff\xff"])
def test_no_file_raises(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "model.onnx"
    if content is not None:
        file.write_bytes(content)
    proof = prove(file, SHAPE)
    assert proof.verdict == "unproven"
    assert proof.reason
    assert proof.node == ""
    assert proof.describe() == proof.reason


def test_without_onnx_nothing_is_proven(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    for proof in (prove(path, SHAPE), remembered_proof(path, "digest", SHAPE)):
        assert proof.verdict == "unproven"
        assert "onnx" in proof.reason
    assert not list(cache_folder("row_independence").iterdir())


def test_a_verdict_is_remembered(path: Path) -> None:
    first = remembered_proof(path, "digest", SHAPE)
    path.unlink()
    assert remembered_proof(path, "digest", SHAPE) == first == Proof("proven")


def test_another_question_has_another_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remembered_proof(path, "digest", SHAPE).verdict == "proven"
    assert remembered_proof(path, "digest", SHAPE, "z").verdict == "refused"
    assert remembered_proof(path, "digest", SHAPE, "z", batch=1).verdict == "proven"
    assert remembered_proof(path, "digest", (1, 4, 4)).verdict == "unproven"
    path.unlink()
    assert remembered_proof(path, "another", SHAPE).verdict == "unproven"
    monkeypatch.setattr(door, "ANALYSER", door.ANALYSER + 1)
    assert remembered_proof(path, "digest", SHAPE).verdict == "unproven"


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "perhaps"},
        {"verdict": "refused"},
        {"kind": "chance"},
        {"node": 3},
        {"more": ""},
        None,
    ],
)
def test_a_damaged_entry_is_not_believed(path: Path, change: dict[str, object] | None) -> None:
    remembered_proof(path, "digest", SHAPE)
    (entry,) = cache_folder("row_independence").iterdir()
    content = json.loads(entry.read_bytes())
    if change is None:
        entry.write_bytes(entry.read_bytes()[:-9])
    else:
        content["proof"].update(change)
        entry.write_text(json.dumps(content))
    assert remembered_proof(path, "digest", SHAPE) == Proof("proven")
    assert json.loads(entry.read_bytes())["proof"]["verdict"] == "proven"


def test_an_entry_of_another_model_is_not_believed(path: Path) -> None:
    remembered_proof(path, "another", SHAPE)
    (entry,) = cache_folder("row_independence").iterdir()
    content = entry.read_bytes()
    onnx.save(refused("ReduceMean", MIXED, shape="N,1,2,2").model(), str(path))
    remembered_proof(path, "digest", SHAPE)
    (own,) = set(cache_folder("row_independence").iterdir()) - {entry}
    own.write_bytes(content)
    assert remembered_proof(path, "digest", SHAPE).verdict == "refused"
