"""The extras install what runs together: one CUDA, one onnxruntime, and its libraries with it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    name: {requirement.name: requirement for requirement in map(Requirement, listed)}
    for name, listed in PROJECT["optional-dependencies"].items()
}

# What the versions of onnxruntime-gpu on PyPI are built for, and whether its extra "cuda" resolves.
BUILT_FOR = {"1.22.0": 12, "1.26.0": 12, "1.27.0": 13, "1.28.0": 13, "1.31.1": 13}
UNRESOLVED = "1.27.0"


def cuda_of(requirement: Requirement) -> set[int]:
    """The CUDA majors that a requirement may bring."""
    if requirement.name == "onnxruntime-gpu":
        allowed = [v for v in BUILT_FOR if requirement.specifier.contains(v)]
        return {BUILT_FOR[version] for version in allowed}
    found = re.search(r"-(?:cu|cuda)(1\d)x?\b", requirement.name)
    return {int(found[1])} if found else set()


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_extra_mixes_cuda_majors(extra: str) -> None:
    majors = set().union(*map(cuda_of, EXTRAS[extra].values()))
    assert len(majors) <= 1, majors


@pytest.mark.parametrize(("extra", "major"), [("gpu", 13), ("gpu-cuda12", 12)])
def test_a_gpu_needs_its_driver_alone(extra: str, major: int) -> None:
    """CUDA's and cuDNN's libraries come with both that use them, by extras which exist."""
    listed = EXTRAS[extra]
    runtime, cupy = listed["onnxruntime-gpu"], listed[f"cupy-cuda{major}x"]
    assert cuda_of(runtime) == cuda_of(cupy) == {major}
    assert runtime.extras == {"cuda", "cudnn"}
    assert not runtime.specifier.contains("1.20.2")  # before those extras
    assert not runtime.specifier.contains(UNRESOLVED)
    assert cupy.extras == {"ctk"}
    assert not cupy.specifier.contains("13.6.0")  # before that extra
    assert "onnx" in listed


def test_onnxruntime_is_installed_once() -> None:
    for extra, listed in EXTRAS.items():
        assert not {"onnxruntime", "onnxruntime-gpu"} <= set(listed), extra
