"""A TensorRT plan and the record beside it, `ENGINE.plan.json`: what it computes, and where.

The record binds itself to the plan by digest, so that a plan can be certified with no ONNX file at
hand, and never with another plan's metadata.
"""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec, Scalar
from smoothcert.engine.base.ranges import BATCH, CLASSES
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.models.kinds import Kind, kind_of
from smoothcert.engine.models.metadata import check_entries

FORMAT = 1
_MOST_RECORD = 1 << 24
COMPATIBILITY = ("none", "ampere-plus", "same-capability")
"""Which other GPUs a plan of full TensorRT runs on: none, Ampere and newer, or those of the same
compute capability."""


@dataclass(frozen=True)
class PlanRecord:
    """Everything that is known of a plan.

    sha256, size         of the plan's bytes
    runtime, version     what built it: a name of module.RUNTIMES and its version
    gpu                  the GPU it was built on; None where no GPU was needed
    targets              compute capabilities it was built for; empty: the runtime's own choice
    compatibility        of COMPATIBILITY
    version_compatible   whether other versions of the runtime may run it
    batch                rows of every run
    input_name, input_scalar, logits_name, logits_scalar   the two tensors; scalars of Scalar
    precision            the lowest of its layers: fp32, fp16, bf16, int8 or fp8
    model                of the model it was built from: name, sha256, arch, dataset, ...
    build                settings and figures of the build, for reading
    """

    sha256: str
    size: int
    runtime: str
    version: str
    gpu: str | None
    targets: tuple[str, ...]
    compatibility: str
    version_compatible: bool
    batch: int
    num_classes: int
    spec: InputSpec
    input_name: str
    input_scalar: Scalar
    logits_name: str
    logits_scalar: Scalar
    precision: str
    tf32: bool
    model: dict[str, Any]
    build: dict[str, Any]

    def to_json(self) -> str:
        """The text of the record's file."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["spec"] = self.spec.to_metadata()
        return json.dumps({"format": FORMAT, **fields}, indent=1, sort_keys=True) + "\n"

    def metadata(self) -> dict[str, Any]:
        """What a manifest may say of the model: its origin, precision and runtime."""
        built = {"precision": self.precision, "runtime": f"{self.runtime} {self.version}"}
        return {**self.model, **built}

    def refusal(self, version: str, gpu: Gpu) -> str | None:
        """Why this plan cannot run with that version of its runtime on that GPU; None if it may.

        For TensorRT for RTX the runtime itself is asked (rtx.invalidity): only a GPU
        outside the targets is refused here.
        """
        if self.runtime == "tensorrt-rtx":
            if self.targets and gpu.capability not in self.targets:
                return f"it was built for {','.join(self.targets)}, this GPU is {gpu.capability}"
            return None
        if version != self.version and not self.version_compatible:
            return f"it was built by {self.runtime} {self.version}, installed is {version}"
        if self.compatibility == "none" and gpu.name != self.gpu:
            return f"it was built for {self.gpu}, this GPU is {gpu.name}"
        if self.compatibility == "same-capability" and gpu.capability not in self.targets:
            return f"it was built for {','.join(self.targets)}, this GPU is {gpu.capability}"
        if self.compatibility == "ampere-plus" and int(gpu.capability[2:]) < 80:
            return f"it was built for sm80 and newer, this GPU is {gpu.capability}"
        return None


def record_path(plan: Path) -> Path:
    """Where the record of a plan is: beside it, `.json` added to its name."""
    return plan.with_name(plan.name + ".json")


def is_plan(path: Path) -> bool:
    """Whether a file is a TensorRT plan: by its bytes; by its suffix where they say nothing."""
    return kind_of(path) is Kind.PLAN


def read_record(plan: Path) -> PlanRecord:
    """The record beside a plan, as it stands; raises InputError where there is none of its form."""
    beside = record_path(plan)
    again = "build it again with `smoothcert build MODEL.onnx`"
    if not os.path.lexists(beside):
        raise InputError(
            f"plan {plan} has no {beside.name} beside it, which says what it computes: {again}"
        )
    content = read_regular(beside, "what `smoothcert build` writes", "plan record", _MOST_RECORD)
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = one_line(error)
        raise InputError(f"plan record {beside} cannot be read ({reason}): {again}") from None
    try:
        if fields.pop("format") != FORMAT:
            raise ValueError("another format")
        fields["spec"] = InputSpec.from_metadata(fields["spec"])
        fields["targets"] = tuple(fields["targets"])
        record = PlanRecord(**fields)
        _check_types(record)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        reason = one_line(error)
        raise InputError(
            f"plan record {beside} is not what `smoothcert build` writes ({reason}): {again}"
        ) from None
    return record


def _check_types(record: PlanRecord) -> None:
    """The values that buffers are planned with, and that decide what may be loaded."""
    if not {record.input_scalar, record.logits_scalar} <= set(get_args(Scalar)):
        raise ValueError(f"scalars {record.input_scalar!r}, {record.logits_scalar!r}")
    if record.compatibility not in COMPATIBILITY:
        raise ValueError(f"compatibility {record.compatibility!r}")
    for name in ("size", "batch", "num_classes"):
        value = getattr(record, name)
        if type(value) is not int or value < 1:
            raise ValueError(f"{name} {value!r}")
    for name in ("sha256", "runtime", "version", "precision", "input_name", "logits_name"):
        if not isinstance(getattr(record, name), str):
            raise TypeError(f"{name} {getattr(record, name)!r}")
    if not isinstance(record.model, dict):
        raise TypeError(f"model {record.model!r}")
    check_entries(record.model)
    CLASSES.check(record.num_classes)
    BATCH.check(record.batch)


def check_content(plan: Path, content: bytes, record: PlanRecord) -> None:
    """Raises InputError unless the plan's bytes are those that its record speaks of."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != record.sha256:
        raise InputError(
            f"plan {plan} is not the one its record speaks of ({len(content)} bytes, sha256 "
            f"{digest[:16]}..., expected {record.size} bytes, {record.sha256[:16]}...): "
            "build it again with `smoothcert build MODEL.onnx`"
        )
