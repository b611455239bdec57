"""An ONNX Runtime that cannot be used says in one line what is wrong with the installation."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from smoothcert.engine.backends.device.onnxruntime_network import load_onnxruntime_gpu
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.machine import ONNXRUNTIMES
from smoothcert.engine.base.onnx_runtime import clash, import_onnxruntime, installed, remedy

FakeDistribution = Callable[..., Path]
of_the_processors_build = pytest.mark.skipif(
    installed() != ["onnxruntime"], reason="another build of onnxruntime is installed"
)
_LOAD = """
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.onnx_graph import load_onnxruntime
try:
    load_onnxruntime()
except InputError as error:
    print(error)
"""


def loaded(folder: Path) -> str:
    """What loading says where `folder` comes before what is installed."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_is_installed_here_is_imported() -> None:
    assert import_onnxruntime("cpu", "this test").InferenceSession
    assert len(installed()) == 1
    assert clash() is None


@of_the_processors_build
@pytest.mark.parametrize("other", ["onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly"])
def test_two_that_overwrote_each_other_are_named(
    fake_distribution: FakeDistribution, other: str
) -> None:
    fake_distribution("onnxruntime", "raise ImportError('cannot import name get_all_providers')")
    said = loaded(fake_distribution(other))
    assert said.startswith("onnxruntime cannot be used (cannot import name get_all_providers): ")
    assert f"onnxruntime and {other} are installed at once and overwrite" in said
    assert f"pip uninstall onnxruntime {other}, then install one: pip install 'smooth" in said
    assert said.count("\n") == 1


def test_two_that_work_are_not_refused(fake_distribution: FakeDistribution) -> None:
    """Some pairs do; doctor names them all the same."""
    names = ("InferenceSession", "SessionOptions", "get_available_providers")
    fake_distribution("onnxruntime", "\n".join(f"{name} = print" for name in names))
    assert loaded(fake_distribution("onnxruntime-gpu")) == ""


@of_the_processors_build
@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("__version__ = '1'", "it has no InferenceSession"),
        ("raise OSError('libx.so:\\n no such file')", "libx.so: no such file"),
        ("raise ModuleNotFoundError('x', name='onnxruntime.capi')", "its files are missing"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_one_that_is_damaged_says_how(
    fake_distribution: FakeDistribution, module: str, reason: str
) -> None:
    said = loaded(fake_distribution("onnxruntime", module))
    assert said == (
        f"onnxruntime cannot be used ({reason}): pip uninstall onnxruntime, then pip install "
        "'smoothcert[cpu]'\n"
    )


@of_the_processors_build
def test_a_missing_cuda_provider_is_told_by_its_cause(
    fake_distribution: FakeDistribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processor's build over the GPU's: the commonest way to lose it."""
    assert remedy("gpu").startswith("pip uninstall onnxruntime, then pip install 'smoothcert[gpu]'")
    monkeypatch.syspath_prepend(str(fake_distribution("onnxruntime-gpu")))
    assert "onnxruntime and onnxruntime-gpu are installed at once" in remedy("gpu")
    with pytest.raises(InputError, match=r"has no CUDA provider.*are installed at once"):
        load_onnxruntime_gpu()


def test_a_variant_is_known_by_its_metadata(
    fake_distribution: FakeDistribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = installed()
    for name in ONNXRUNTIMES[2:5]:
        monkeypatch.syspath_prepend(str(fake_distribution(name)))
    assert installed() == [n for n in ONNXRUNTIMES if n in before or n in ONNXRUNTIMES[2:5]]
