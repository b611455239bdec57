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


def test_all_cpu_is_every_extra_for_users_that_needs_no_gpu() -> None:
    """Extras that refer to this project name those that there are; none of all-cpu brings CUDA."""
    (requirement,) = EXTRAS["all-cpu"].values()
    assert requirement.name == PROJECT["name"]
    ours_alone = {"demo-imagenet", "dev", "docs", "guard", "kernel-tests"}
    for_a_gpu = {"gpu", "gpu-cuda12", "pycuda", "tensorrt", "tensorrt-rtx"}
    assert requirement.extras == set(EXTRAS) - ours_alone - for_a_gpu - {"all-cpu"}
    assert not set().union(*(cuda_of(r) for e in requirement.extras for r in EXTRAS[e].values()))


def test_the_demo_installs_no_more_than_it_needs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (demo,) = re.findall(r"^DEMO_EXTRAS := (.*)$", makefile, re.M)
    assert demo.split(",") == ["cpu", "export", "report"]
    (everything,) = re.findall(r"^EXTRAS := \$\(DEMO_EXTRAS\),(.*)$", makefile, re.M)
    assert set(everything.split(",")) <= set(EXTRAS)
