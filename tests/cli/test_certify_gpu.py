"""`certify --device cuda:0` as a command, the host being the GPU: what is said and recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from host_gpu import host_gpu, stub_tensorrt
from tensorrt_stand_in import StandIn

from smoothcert.cli.main import main

ON_GPU = ("--sigma", 0.25, "--n", 200, "--n0", 20, "--max", 3, "--batch", 32, "--device", "cuda:0")


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def smoothcert(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command in this process: its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def session(out: Path) -> dict[str, Any]:
    backend: dict[str, Any] = json.loads(Path(f"{out}.json").read_text())["sessions"][-1]["backend"]
    return backend


pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache operations:DeprecationWarning")
NULLPTR = TypeError("pybind11::init(): factory function returned nullptr")


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (None, "TensorRT is not installed"),
        ({}, "needs the package tensorrt, which cannot be loaded"),
        ({"__version__": "9.1.0"}, "tensorrt 9.1.0 is too old"),
        (("Builder", NULLPTR), "does not start here"),
        (("build_serialized_network", None, "no kernel"), "cannot be built: no kernel"),
        (("deserialize_cuda_engine", RuntimeError("a bad tag")), "cannot be loaded: a bad tag"),
        (("deserialize_cuda_engine", ZeroDivisionError("of no kind")), "of no kind"),
    ],
    ids=["not installed", "import", "version", "start", "build", "deserialize", "unexpected"],
)
def test_a_certificate_and_one_line_whatever_tensorrt_lacks(
    smoothcert: Command,
    model: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    contents: Any,
    reason: str,
) -> None:
    host_gpu(monkeypatch)
    if isinstance(contents, dict):
        stub_tensorrt(monkeypatch, **contents)
    elif contents is not None:
        stub_tensorrt(monkeypatch, StandIn(*contents), __version__="11.4.0.106")
    out = tmp_path / "out.tsv"
    code, _, said = smoothcert("certify", model, source, out, *ON_GPU)
    assert code == 0, said
    (line,) = said.splitlines()
    assert line.startswith("smoothcert: tensorrt was passed over: ")
    assert reason in line
    assert len(out.read_text().splitlines()) == 4
    assert session(out)["runtime"].startswith("torch ")
    assert reason in session(out)["passed_over"]["tensorrt"]


@pytest.mark.slow
def test_precision_and_tuning_are_recorded_and_resumed(
    smoothcert: Command,
    model: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host_gpu(monkeypatch)
    out = tmp_path / "out.tsv"
    run = ("certify", model, source, out, *ON_GPU, "--precision")
    code, _, said = smoothcert(*run, "auto", "--tune")
    assert code == 0, said
    described = session(out)
    assert (described["precision"], described["tuned"]) == ("fp16", True)
    assert described["took"] in described["rows_per_second"]
    assert json.loads(Path(f"{out}.json").read_text())["run"]["precision"] == "fp16"
    code, printed, said = smoothcert(*run, "auto")
    assert code == 0, said
    assert "3 images, 0 of them now" in printed
    code, _, said = smoothcert(*run, "bf16")
    assert code == 2
    assert "precision fp16 (log) against bf16 (asked)" in said
    # Kernels that were measured: rows compare as another machine's do.
    code, printed, said = smoothcert("audit", out, source, "--rows", 3, "--another-machine")
    assert code == 0, printed + said
    assert "another machine, compared within" in printed


def test_tune_on_a_cpu_is_refused(
    smoothcert: Command, model: Path, source: Path, tmp_path: Path
) -> None:
    code, _, said = smoothcert(
        "certify", model, source, tmp_path / "out.tsv", "--sigma", 0.25, "--tune"
    )
    assert code == 2
    assert "tune is of a GPU's networks" in said
