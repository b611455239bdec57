"""Plan records: what they keep, what they refuse, and that they belong to one plan."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plan_files import CONTENT, record_of, write_plan

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt.plan import is_plan, read_record, record_path
from smoothcert.engine.backends.tensorrt.trust import open_plan
from smoothcert.engine.base.errors import InputError

H200 = Gpu(0, "NVIDIA H200", "sm90")


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "model.plan")
    assert read_record(plan) == record_of()
    assert read_record(write_plan(tmp_path / "x", record_of(targets=()))).targets == ()


def test_a_plan_opens_as_a_model_with_no_onnx_at_hand(tmp_path: Path) -> None:
    model = open_plan(write_plan(tmp_path / "model.plan"))
    assert (model.batch, model.num_classes, model.input_type) == (256, 10, "float16")
    assert model.spec == record_of().spec
    assert model.sha256 == hashlib.sha256(CONTENT).hexdigest()
    described = model.describe()
    assert (described["arch"], described["precision"]) == ("cifar_resnet110", "fp16")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.plan", b"anything", True),
        ("a.engine", b"\xff\x00", True),
        ("a.engine", b"\x08\x09\x3a\x00", False),  # an ONNX file, whatever its name
        ("a.bin", b"ptrt....", True),
        ("a.bin", b"vtrt....", True),
        ("a.onnx", b"\x08\x09\x12", False),
        ("a.pth", b"PK\x03\x04", False),
    ],
)
def test_plans_are_recognised(tmp_path: Path, name: str, content: bytes, expected: bool) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_plan(tmp_path / name) is expected


@pytest.mark.parametrize(
    "tampered", [CONTENT + b"!", CONTENT[:-1], CONTENT.replace(b"engine", b"Engine")]
)
def test_a_plan_that_is_not_its_records_is_refused(tmp_path: Path, tampered: bytes) -> None:
    plan = write_plan(tmp_path / "model.plan")
    plan.write_bytes(tampered)
    with pytest.raises(InputError, match="is not the one its record speaks of"):
        open_plan(plan)


def test_a_plan_without_a_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.plan").write_bytes(CONTENT)
    with pytest.raises(InputError, match=r"has no model\.plan\.json beside it.*smoothcert build"):
        open_plan(tmp_path / "model.plan")


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda fields: fields.pop(key)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without("sha256"), "sha256"),
        (without("format"), "format"),
        (without("spec"), "spec"),
        (lambda f: f.update(format=2), "another format"),
        (lambda f: f.update(extra=1), "extra"),
        (lambda f: f.update(batch=0), "batch 0"),
        (lambda f: f.update(batch=True), "batch True"),
        (lambda f: f.update(num_classes="10"), "num_classes '10'"),
        (lambda f: f.update(input_scalar="int8"), "int8"),
        (lambda f: f.update(compatibility="all"), "all"),
        (lambda f: f.update(sha256=5), "sha256 5"),
        (lambda f: f.update(model=[]), "model"),
        (lambda f: f["spec"].update(mean=[1, 2]), "mean has 2 values"),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    plan = write_plan(tmp_path / "model.plan")
    fields = json.loads(record_path(plan).read_text())
    damage(fields)
    record_path(plan).write_text(json.dumps(fields))
    with pytest.raises(InputError, match=reason) as caught:
        read_record(plan)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "null", '{"format": 1', "\x00"])
def test_a_record_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    plan = write_plan(tmp_path / "model.plan")
    record_path(plan).write_text(text)
    with pytest.raises(InputError, match=r"smoothcert build"):
        read_record(plan)


RTX = {"runtime": "tensorrt-rtx", "version": "1.7.1.116", "gpu": None}


@pytest.mark.parametrize(
    ("changes", "version", "gpu", "reason"),
    [
        ({}, "11.4.0.106", H200, None),
        ({}, "11.5.0.2", H200, "built by tensorrt 11.4.0.106, installed is 11.5.0.2"),
        ({"version_compatible": True}, "11.5.0.2", H200, None),
        ({}, "11.4.0.106", Gpu(0, "NVIDIA L4", "sm89"), "for NVIDIA H200, this GPU is NVIDIA L4"),
        # The same chip with less memory is another GPU: kernels were chosen for the first.
        ({}, "11.4.0.106", Gpu(0, "NVIDIA H100", "sm90"), "for NVIDIA H200"),
        ({"compatibility": "same-capability"}, "11.4.0.106", Gpu(0, "NVIDIA H100", "sm90"), None),
        ({"compatibility": "same-capability"}, "11.4.0.106", Gpu(0, "A100", "sm80"), "for sm90"),
        ({"compatibility": "ampere-plus"}, "11.4.0.106", Gpu(0, "A100", "sm80"), None),
        ({"compatibility": "ampere-plus"}, "11.4.0.106", Gpu(0, "B200", "sm100"), None),
        ({"compatibility": "ampere-plus"}, "11.4.0.106", Gpu(0, "T4", "sm75"), "sm80 and newer"),
        ({**RTX, "targets": ("sm89", "sm120")}, "9", Gpu(0, "RTX 4090", "sm89"), None),
        ({**RTX, "targets": ("sm89", "sm120")}, "9", H200, "for sm89,sm120, this GPU is sm90"),
        ({**RTX, "targets": ()}, "9", H200, None),  # the runtime is asked
    ],
)
def test_where_a_plan_runs(
    changes: dict[str, Any], version: str, gpu: Gpu, reason: str | None
) -> None:
    refusal = record_of(**changes).refusal(version, gpu)
    if reason is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert reason in refusal
