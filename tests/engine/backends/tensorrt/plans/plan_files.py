"""Plans that no GPU has seen, with records that fit them: what files are checked with."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from smoothcert.engine.backends.tensorrt.plan import PlanRecord, record_path
from smoothcert.engine.base.input_spec import InputSpec

CONTENT = b"ptrt, and what an engine is made of"


def record_of(content: bytes = CONTENT, **changes: Any) -> PlanRecord:
    record = PlanRecord(
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        runtime="tensorrt",
        version="11.4.0.106",
        gpu="NVIDIA H200",
        targets=("sm90",),
        compatibility="none",
        version_compatible=False,
        batch=256,
        num_classes=10,
        spec=InputSpec(3, 32, 32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)),
        input_name="input",
        input_scalar="float16",
        logits_name="logits",
        logits_scalar="float32",
        precision="fp16",
        tf32=True,
        model={"arch": "cifar_resnet110", "onnx_sha256": "ab"},
        build={"seconds": 1.5},
    )
    return dataclasses.replace(record, **changes)


def write_plan(path: Path, record: PlanRecord | None = None, content: bytes = CONTENT) -> Path:
    path.write_bytes(content)
    record_path(path).write_text((record or record_of(content)).to_json())
    return path
