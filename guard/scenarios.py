"""What the soak runs, and what it compares: commands, their files, and how files are alike."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

DATA = Path(__file__).resolve().parents[1] / "data"
_SHAPE, _CLASSES, _IMAGES = (3, 8, 8), 4, 30


@dataclass(frozen=True)
class Scenario:
    """A command that is killed and given again.

    work      what a process does: ends by SystemExit, as the command line does
    inputs    what `prepare` makes that lies in the trial's folder from the start
    weight    how often it is drawn
    repeated  the line of a rerun of what was finished already, where that is refused
    patience  seconds in which processes it started may end after it
    needs     a module without which it is left out
    """

    name: str
    work: Callable[[], object]
    inputs: tuple[str, ...] = ("model.onnx", "images.npz")
    weight: float = 1.0
    repeated: str = ""
    patience: float = 15.0
    needs: str = "numpy"


def command(*arguments: object) -> Callable[[], object]:
    """The command line with these arguments, as work of a process."""

    def work() -> None:
        from smoothcert.cli.main import main

        main([str(argument) for argument in arguments])

    return work


def _certify_on_two_processes() -> None:
    """What `--device cuda:0,cuda:1` does, with a CPU for each GPU."""
    from smoothcert.engine.backends.base import Compute
    from smoothcert.engine.models.model import open_onnx
    from smoothcert.engine.noise.lattice import LatticeGaussian
    from smoothcert.engine.run.certification import Certification
    from smoothcert.engine.run.execution import Job
    from smoothcert.engine.run.processes import ProcessExecutor
    from smoothcert.engine.sources import open_source
    from smoothcert.engine.sources.selection import Selection
    from smoothcert.engine.statistics.procedures import FixedCertify

    model, law = open_onnx(Path("model.onnx")), LatticeGaussian(0.25)
    procedure = FixedCertify(0.25, 20, 4000, 0.001, law.total_variation(model.spec.num_pixels))
    compute = Compute(batch=64, backend="onnxruntime")
    job = Job(model=model, law=law, procedure=procedure, seed=0, compute=compute)
    source = open_source("images.npz", model.spec, _CLASSES)
    executor = ProcessExecutor(["cpu"] * 2)
    Certification(job, source, Selection(), Path("out.tsv"), executor=executor).run()


def _build_into_the_cache() -> None:
    """What `--backend tensorrt` does before it certifies, for no GPU in particular."""
    from smoothcert.engine.backends.tensorrt.options import BuildOptions
    from smoothcert.engine.backends.tensorrt.store import cached_plan
    from smoothcert.engine.backends.tensorrt.trust import read_cached_plan

    options = BuildOptions(batch=64)
    read_cached_plan(cached_plan(Path("model.onnx"), options, runtime="tensorrt-rtx", device=None))


_CERTIFY = ("certify", "model.onnx", "images.npz", "out.tsv", "--sigma", 0.25, "--seed", 0)
_ON_ONNXRUNTIME = ("--backend", "onnxruntime", "--batch", 64)
_SHARDS = ("part0.tsv", "part1.tsv", "part2.tsv")

SCENARIOS = (
    Scenario("fixed", command(*_CERTIFY, "--n", 1000, *_ON_ONNXRUNTIME), weight=3),
    Scenario(
        "table",
        command(*_CERTIFY, "--n", 4000, "--radii", "0,0.1,0.25", *_ON_ONNXRUNTIME),
        weight=3,
    ),
    Scenario(
        "budget",
        command(
            *_CERTIFY, "--n", 4000, "--radii", "0,0.1,0.25", "--budget", "1e12", *_ON_ONNXRUNTIME
        ),
        weight=2,
    ),
    Scenario("radius", command(*_CERTIFY, "--n", 4000, "--tolerance", 0.1, *_ON_ONNXRUNTIME)),
    Scenario("batch cache", command(*_CERTIFY, "--n", 1000, "--backend", "onnxruntime")),
    Scenario("predict", command("predict", *_CERTIFY[1:], "--n", 500, *_ON_ONNXRUNTIME), weight=2),
    Scenario("processes", _certify_on_two_processes, weight=0.6),
    Scenario("engine cache", _build_into_the_cache, ("model.onnx",), needs="tensorrt_rtx"),
    Scenario(
        "ray",
        command(*_CERTIFY, "--n", 1000, *_ON_ONNXRUNTIME, "--ray", "local", "--workers", 2),
        weight=0.15,
        patience=120.0,  # its agents give up on a head that is gone after a minute
        needs="ray",
    ),
    Scenario(
        "merge",
        command("merge", "out.tsv", *_SHARDS),
        (*_SHARDS, *(f"{name}.json" for name in _SHARDS)),
        weight=3,
        repeated="exists already",
    ),
    Scenario(
        "export",
        command("export", "model.pth", "-o", "out.onnx"),
        ("model.pth",),
        repeated="exists already",
        weight=0.5,
    ),
    Scenario(
        "model cache",
        command("certify", "model.pth", *_CERTIFY[2:], "--n", 500, "--max", 3, *_ON_ONNXRUNTIME),
        ("model.pth", "demo.npz"),
        weight=0.5,
    ),
    Scenario(
        "adapted model",
        command("certify", "foreign.onnx", *_CERTIFY[2:], "--n", 500, *_ON_ONNXRUNTIME),
        ("foreign.onnx", "images.npz"),
        weight=0.5,
    ),
    Scenario(
        "adapted network",
        command("certify", "foreign.xml", *_CERTIFY[2:], "--n", 500, "--batch", 64),
        ("foreign.xml", "foreign.bin", "images.npz"),
        weight=0.5,
        needs="openvino",
    ),
)


def prepare(folder: Path, run: Callable[[Callable[[], object]], None]) -> None:
    """Write every scenario's inputs; `run` does a command's work there."""
    rng = np.random.default_rng(0)
    features = int(np.prod(_SHAPE))
    weight = rng.normal(size=(_CLASSES, features)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight"], ["logits"], transB=1),
        ],
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *_SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", _CLASSES])],
        [numpy_helper.from_array(weight, "weight")],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(network, str(folder / "model.onnx"))
    _write_foreign(folder, weight)
    images = rng.integers(0, 256, (_IMAGES, *_SHAPE[1:], _SHAPE[0])).astype(np.uint8)
    np.savez(folder / "images.npz", images=images, labels=np.arange(_IMAGES) % _CLASSES)
    shutil.copy(DATA / "fashion_mnist_sigma25.pth", folder / "model.pth")
    shutil.copy(DATA / "fashion_mnist_500.npz", folder / "demo.npz")
    for number, part in enumerate(_SHARDS):
        shard = ("--shard", f"{number}/{len(_SHARDS)}")
        run(partial(command("certify", *_CERTIFY[1:3], part, *_CERTIFY[4:], "--n", 200,
                            *_ON_ONNXRUNTIME, *shard)))  # fmt: skip


def _write_foreign(folder: Path, weight: npt.NDArray[np.float32]) -> None:
    """The same network of someone else's: bytes in, channels last, a fixed batch."""
    channels, height, width = _SHAPE
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["bytes"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["floats", "step"], ["scaled"]),
            helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Flatten", ["planes"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight"], ["logits"], transB=1),
        ],
        "foreign",
        [helper.make_tensor_value_info("bytes", TensorProto.UINT8, [1, height, width, channels])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, _CLASSES])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array(1 / 255, np.float32), "step"),
        ],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(network, str(folder / "foreign.onnx"))
    if importlib.util.find_spec("openvino"):
        import openvino

        openvino.save_model(
            openvino.convert_model(str(folder / "foreign.onnx")),
            str(folder / "foreign.xml"),
            compress_to_fp16=False,
        )


def contents(folder: Path) -> dict[str, Any]:
    """What a trial's folder holds, by path, as two runs of one command must have it alike: logs
    without their time column, manifests without sessions, measured speeds as the names of what is
    said of them, engines as that there is one, else the bytes."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file():
            found[name] = _content(name, path.read_bytes())
    return found


def _content(name: str, content: bytes) -> Any:
    if name.endswith(".tsv"):
        lines = [line.split(b"\t") for line in content.split(b"\n")]
        return [line[:5] + line[6:] for line in lines]
    if name.endswith(".tsv.json"):
        manifest = json.loads(content)
        return {key: value for key, value in manifest.items() if key not in _CIRCUMSTANCES}
    if name.endswith(".plan"):  # no two builds are alike; its scenario reads it
        return len(content) > 0
    if name.endswith(".json"):  # what was measured, or proven, and of what
        return sorted(json.loads(content))
    return content


_CIRCUMSTANCES = {"sessions", "row_independence"}
