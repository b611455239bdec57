"""Every TensorRT name the project uses against the real API: of 10, of 11, and of that for RTX."""

import ast
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tensorrt_api import Use, chain, empty_libraries, misfits, uses

from smoothcert.engine.backends.tensorrt import module

ROOT = Path(__file__).parents[4]
ROOM = ROOT / "engine" / "backends" / "tensorrt"
RTX_ONLY = ROOM / "rtx.py"
COMMON = [
    ROOM / f"{name}.py"
    for name in ("module", "log", "network", "monitor", "build", "parse", "timing_cache")
]
OF_10 = Path(sys.prefix) / "tensorrt"
"""Bindings of TensorRT 10, a folder per version; `make test` puts them there."""

# What a variable of these names is, in the files above.
RECEIVERS = {
    "builder": "Builder",
    "config": "IBuilderConfig",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "refused": "ParserError",
    "images": "ITensor",
    "logits": "ITensor",
    "layer": "ILayer",
    "cache": "ITimingCache",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
}
RTX_RECEIVERS = {
    **RECEIVERS,
    "strategies": "DynamicShapesKernelSpecializationStrategy",
}
# There `config` is a build's in some functions and a context's in another.
RTX_OTHERS = {"dynamic_shapes_kernel_specialization_strategy": "IRuntimeConfig"}


def common_uses() -> set[Use]:
    from smoothcert.engine.backends.tensorrt.build import _LEVELS

    found = set[Use]().union(*(uses(file, RECEIVERS) for file in COMMON))
    return found | {(f"HardwareCompatibilityLevel.{level}", "read") for level in _LEVELS.values()}


def rtx_uses() -> set[Use]:
    moved = {f"IBuilderConfig.{member}": member for member in RTX_OTHERS}
    return {
        (f"{RTX_OTHERS[moved[name]]}.{moved[name]}" if name in moved else name, how)
        for name, how in uses(RTX_ONLY, RTX_RECEIVERS)
    }


def names(found: set[Use]) -> set[str]:
    return {name for name, _ in found}


def gcc() -> str:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no gcc to build empty libraries with")
    return compiler


@pytest.fixture(scope="module")
def of_11(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Empty libraries of TensorRT 11, so that its real bindings can be imported."""
    if importlib.util.find_spec("tensorrt_bindings") is None:
        pytest.skip("tensorrt-cu13-bindings is not installed (extra kernel-tests)")
    return list(empty_libraries(gcc(), tmp_path_factory.mktemp("stubs"), 11))


@pytest.fixture(scope="module")
def of_10(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Those of TensorRT 10."""
    return list(empty_libraries(gcc(), tmp_path_factory.mktemp("stubs"), 10))


def folders_of_10() -> list[Path]:
    found = [folder for folder in OF_10.glob("10.*") if any(folder.iterdir())]
    if not found:
        pytest.skip(f"there are no bindings of TensorRT 10 in {OF_10}: `make test` fetches them")
    return sorted(found, key=lambda folder: [int(part) for part in folder.name.split(".")])


def test_the_collector_sees_what_the_files_use() -> None:
    found = common_uses()
    assert len(names(found)) > 45
    assert {
        ("ILogger.Severity.INTERNAL_ERROR", "read"),
        ("ILogger", "call 0 "),
        ("Builder", "call 1 "),
        ("Builder.create_network", "call 1 "),
        ("Builder.build_serialized_network", "call 2 "),
        ("NetworkDefinitionCreationFlag.STRONGLY_TYPED", "read"),
        ("OnnxParser", "call 2 "),
        ("OnnxParser.parse", "call 2 "),
        ("OnnxParser.get_error", "call 1 "),
        ("ParserError.node_name", "call 0 "),
        ("IBuilderConfig.set_timing_cache", "call 2 "),
        ("IBuilderConfig.max_aux_streams", "set"),
        ("ITensor.allowed_formats", "set"),
        ("ITensor.shape", "set"),
        ("IExecutionContext.execute_async_v3", "call 1 "),
        ("ICudaEngine.get_tensor_format", "call 1 "),
        ("ICudaEngine.create_execution_context", "call 0 "),
        ("Runtime.deserialize_cuda_engine", "call 1 "),
        ("Runtime.engine_host_code_allowed", "set"),
        ("HardwareCompatibilityLevel.AMPERE_PLUS", "read"),
        ("LayerType.CONSTANT", "read"),
    } <= found


def test_no_other_file_touches_tensorrt() -> None:
    listed = {*COMMON, RTX_ONLY}
    for folder in ("analysis", "cli", "engine", "export", "training"):
        for file in (ROOT / folder).rglob("*.py"):
            touches = any(
                "trt" in chain(node)
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                if isinstance(node, ast.Attribute)
            )
            assert not touches or file in listed, file


def test_tensorrt_11_has_every_name(of_11: list[str]) -> None:
    version, wrong = misfits("tensorrt_bindings", common_uses(), of_11)
    assert int(version.partition(".")[0]) >= 11
    assert wrong == []


def test_tensorrt_10_has_every_name(of_10: list[str]) -> None:
    """The oldest version that is taken, and the newest before 11."""
    versions = []
    for folder in folders_of_10():
        version, wrong = misfits("tensorrt_bindings", common_uses(), of_10, folder)
        assert (version, wrong) == (folder.name, [])
        versions.append(module._release(version))
    assert versions[0] == module._OLDEST["tensorrt"]
    assert versions[-1] > versions[0]


def test_the_probe_notices_what_is_gone(of_10: list[str], of_11: list[str]) -> None:
    """Precision flags and calibrators went with version 11, and a type can no longer be set."""
    gone = {
        ("BuilderFlag.FP16", "read"),
        ("IInt8Calibrator.get_batch", "read"),
        ("ITensor.dtype", "set"),
    }
    assert set(misfits("tensorrt_bindings", gone, of_11)[1]) == {
        "BuilderFlag.FP16",
        "IInt8Calibrator.get_batch",
        "ITensor.dtype cannot be set",
    }
    for folder in folders_of_10():
        assert misfits("tensorrt_bindings", gone, of_10, folder)[1] == []


def test_the_probe_notices_calls_that_do_not_fit(of_11: list[str]) -> None:
    fitting = {
        ("Builder.create_network", "call 0 "),
        ("Builder.create_network", "call 0 flags"),
        ("ICudaEngine.create_execution_context", "call 0 runtime_config"),
        ("ICudaEngine.get_tensor_format", "call 2 "),
    }
    assert misfits("tensorrt_bindings", fitting, of_11)[1] == []
    wrong = {
        ("Builder", "call 0 "),
        ("Builder.create_network", "call 2 "),
        ("IBuilderConfig.set_timing_cache", "call 1 "),
        ("OnnxParser.parse", "call 1 folder"),
        ("ICudaEngine.num_layers", "set"),
    }
    assert len(misfits("tensorrt_bindings", wrong, of_11)[1]) == len(wrong)


LOADED = """
import ctypes, sys
folder, *libraries = sys.argv[1:]
for library in libraries:
    ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
if folder:
    sys.path.insert(0, folder)
import tensorrt_bindings as api
from smoothcert.engine.backends.tensorrt.log import LogKeeper
from smoothcert.engine.backends.tensorrt.module import TensorRT
from smoothcert.engine.base.errors import DeviceUnavailableError
tensorrt = TensorRT("tensorrt", api.__version__, api)
"""
FLAGS = "print(tensorrt.network_flags)"
START = """
log = LogKeeper(api)
for start in (
    lambda: log.ask(lambda: api.Builder(log.logger), tensorrt.unusable),
    lambda: tensorrt.start(log, host_code=True),
):
    try:
        start()
    except DeviceUnavailableError as error:
        print(error)
"""


def said_with(script: str, folder: Path | None, libraries: list[str]) -> str:
    """What a script prints that has `tensorrt`: that of a folder, or of this environment."""
    command = [sys.executable, "-W", "ignore", "-c", LOADED + script, str(folder or "")]
    done = subprocess.run([*command, *libraries], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_networks_are_strongly_typed(of_10: list[str], of_11: list[str]) -> None:
    """Bit 1 of 10's flags; of 11's there is none to be set."""
    assert said_with(FLAGS, None, of_11) == "0\n"
    for folder in folders_of_10():
        assert said_with(FLAGS, folder, of_10) == f"{1 << 1}\n"


def test_libraries_that_make_no_object_are_one_line_each(
    of_10: list[str], of_11: list[str]
) -> None:
    """Empty libraries make none, as the real ones without a driver."""
    for folder, libraries in ((None, of_11), *((folder, of_10) for folder in folders_of_10())):
        builder, runtime = said_with(START, folder, libraries).splitlines()
        for line in (builder, runtime):
            assert "does not start here" in line
            assert "nullptr" in line


def test_tensorrt_for_rtx_has_every_name() -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")
    version, wrong = misfits("tensorrt_rtx", common_uses() | rtx_uses(), [])
    assert int(version.partition(".")[0]) >= 1
    assert wrong == []


def test_the_rtx_file_holds_what_full_tensorrt_lacks(of_11: list[str]) -> None:
    assert set(misfits("tensorrt_bindings", rtx_uses(), of_11)[1]) == {
        "BuilderFlag.REQUIRE_USER_ALLOCATION",
        "ComputeCapability",
        "DynamicShapesKernelSpecializationStrategy",
        "DynamicShapesKernelSpecializationStrategy.EAGER",
        "EngineInvalidityDiagnostics",
        "EngineValidity",
        "EngineValidity.INVALID",
        "IBuilderConfig.num_compute_capabilities",
        "IBuilderConfig.set_compute_capability",
        "IExecutionContext.is_stream_capturable",
        "IRuntimeConfig.dynamic_shapes_kernel_specialization_strategy",
        "Runtime.get_engine_validity",
    }
