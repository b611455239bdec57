"""Choosing and loading a runtime, and every TensorRT name the project uses against the real API."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smoothcert.engine.backends.tensorrt import module
from smoothcert.engine.backends.tensorrt.module import LogKeeper, default_runtime, load_tensorrt
from smoothcert.engine.base.errors import InputError, MissingPartError

ROOT = Path(__file__).parents[4]
ROOM = ROOT / "engine" / "backends" / "tensorrt"
RTX_ONLY = ROOM / "rtx.py"
COMMON = [
    ROOM / f"{name}.py"
    for name in ("module", "network", "monitor", "build", "parse", "timing_cache")
]

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

LIBRARIES = {
    "libnvinfer.so.11": (
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "getBuilderPluginRegistry",
        "getPluginRegistry",
    ),
    "libnvinfer_plugin.so.11": ("initLibNvInferPlugins",),
    "libnvonnxparser.so.11": (
        "createNvOnnxParser_INTERNAL",
        "createNvOnnxParserRefitter_INTERNAL",
        "getNvOnnxParserVersion",
    ),
}

PROBE = """
import ctypes, json, sys
module, names, libraries = json.load(sys.stdin)
for library in libraries:
    ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
api = __import__(module)
missing = []
for name in names:
    value = api
    for part in name.split("."):
        value = getattr(value, part, None)
        if value is None:
            missing.append(name)
            break
print(json.dumps([api.__version__, missing]))
"""


def chain(node: ast.expr) -> list[str]:
    """["module", "trt", "BuilderFlag", "TF32"] for that expression; empty for another kind."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def used_names(file: Path, receivers: dict[str, str]) -> set[str]:
    """ "Class.member" or "Enum.MEMBER" for everything of TensorRT that a source file touches."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute):
            continue
        parts = [part for part in chain(node) if part != "self"]
        if "trt" in parts:
            used = parts[parts.index("trt") + 1 :]
            used = [part for part in used if not part.startswith("__")]
            if used:
                names.add(".".join(used))
        elif len(parts) > 1 and parts[0].lstrip("_") in receivers:
            names.add(f"{receivers[parts[0].lstrip('_')]}.{parts[1]}")
    return names


def common_names() -> set[str]:
    names = set[str]().union(*(used_names(file, RECEIVERS) for file in COMMON))
    from smoothcert.engine.backends.tensorrt.build import _LEVELS

    return names | {f"HardwareCompatibilityLevel.{level}" for level in _LEVELS.values()}


def rtx_names() -> set[str]:
    names = used_names(RTX_ONLY, RTX_RECEIVERS)
    for member, owner in RTX_OTHERS.items():
        names = names - {f"IBuilderConfig.{member}"} | {f"{owner}.{member}"}
    return names


def missing_names(module: str, names: set[str], libraries: list[str]) -> tuple[str, list[str]]:
    """The version of a module, and which names it lacks; in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=json.dumps([module, sorted(names), libraries]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, missing = json.loads(done.stdout)
    return version, missing


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Empty libraries with TensorRT's entry points, so that its real bindings can be imported."""
    if importlib.util.find_spec("tensorrt_bindings") is None:
        pytest.skip("tensorrt-cu13-bindings is not installed (extra kernel-tests)")
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no gcc to build empty libraries with")
    folder = tmp_path_factory.mktemp("stubs")
    for library, functions in LIBRARIES.items():
        source = folder / f"{library}.c"
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in functions))
        subprocess.run(
            [
                compiler,
                "-shared",
                "-fPIC",
                f"-Wl,-soname,{library}",
                "-o",
                folder / library,
                source,
            ],
            check=True,
        )
    return [str(folder / library) for library in LIBRARIES]


def test_the_collector_sees_what_the_files_use() -> None:
    names = common_names()
    assert len(names) > 45
    assert {
        "ILogger.Severity.INTERNAL_ERROR",
        "Builder.build_serialized_network",
        "OnnxParser.get_error",
        "ParserError.node_name",
        "IBuilderConfig.set_timing_cache",
        "ITensor.allowed_formats",
        "IExecutionContext.execute_async_v3",
        "ICudaEngine.get_tensor_format",
        "Runtime.deserialize_cuda_engine",
        "HardwareCompatibilityLevel.AMPERE_PLUS",
        "LayerType.CONSTANT",
    } <= names


def test_no_other_file_touches_tensorrt() -> None:
    listed = {*COMMON, RTX_ONLY}
    for folder in ("analysis", "cli", "engine", "export", "training"):
        for file in (ROOT / folder).rglob("*.py"):
            uses = any(
                "trt" in chain(node)
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                if isinstance(node, ast.Attribute)
            )
            assert not uses or file in listed, file


def test_full_tensorrt_has_every_name(stubs: list[str]) -> None:
    version, missing = missing_names("tensorrt_bindings", common_names(), stubs)
    assert int(version.partition(".")[0]) >= 11
    assert missing == []


def test_the_probe_notices_what_is_gone(stubs: list[str]) -> None:
    """Precision flags and calibrators went with version 11."""
    gone = {"BuilderFlag.FP16", "IInt8Calibrator.get_batch", "Builder.platform_has_fast_fp16"}
    assert set(missing_names("tensorrt_bindings", gone, stubs)[1]) == gone


def test_tensorrt_for_rtx_has_every_name() -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")
    version, missing = missing_names("tensorrt_rtx", common_names() | rtx_names(), [])
    assert int(version.partition(".")[0]) >= 1
    assert missing == []


def test_the_rtx_file_holds_what_full_tensorrt_lacks(stubs: list[str]) -> None:
    assert set(missing_names("tensorrt_bindings", rtx_names(), stubs)[1]) == {
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


@pytest.fixture
def module_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules come first, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("tensorrt", None)


def test_the_installed_runtime_is_the_default() -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("full TensorRT is installed, and comes first")
    assert default_runtime() == "tensorrt-rtx"
    module = load_tensorrt(None, "testing")
    assert module.rtx
    assert module.version == module.trt.__version__


def test_full_tensorrt_comes_first(module_folder: Path) -> None:
    (module_folder / "tensorrt.py").write_text("__version__ = '11.4.0.106'\n")
    assert default_runtime() == "tensorrt"
    assert not load_tensorrt(None, "testing").rtx


def test_an_old_version_is_refused(module_folder: Path) -> None:
    (module_folder / "tensorrt.py").write_text("__version__ = '10.16.1'\n")
    with pytest.raises(InputError, match=r"tensorrt 10\.16\.1 is too old: expected 11"):
        load_tensorrt("tensorrt", "testing")


def test_libraries_that_do_not_load_are_one_line(module_folder: Path) -> None:
    (module_folder / "tensorrt.py").write_text(
        "raise ImportError('libnvinfer.so.11: cannot open\\nshared object')\n"
    )
    with pytest.raises(InputError, match=r"libnvinfer\.so\.11: cannot open shared object"):
        load_tensorrt("tensorrt", "testing")


def test_missing_and_unknown_runtimes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="runtime 'onnx' is unknown: expected one of tensorrt,"):
        load_tensorrt("onnx", "testing")
    monkeypatch.setattr(module, "_MODULES", {"tensorrt": "absent1", "tensorrt-rtx": "absent2"})
    with pytest.raises(MissingPartError, match=r"smoothcert\[tensorrt-rtx\]"):
        default_runtime()
    with pytest.raises(MissingPartError, match=r"testing needs .*smoothcert\[tensorrt\]"):
        load_tensorrt("tensorrt", "testing")


def test_the_log_keeps_errors_and_gives_the_first() -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")
    log = LogKeeper(trt)
    assert log.reason() == "it gave no reason"
    log.logger.log(trt.ILogger.Severity.WARNING, "a warning")
    log.logger.log(trt.ILogger.Severity.ERROR, "the first\n  line")
    log.logger.log(trt.ILogger.Severity.INTERNAL_ERROR, "the second")
    assert log.reason() == "the first line"
    assert log.reason() == "it gave no reason"
