"""OpenVINO IR of strangers: what it is, and that it votes as the ONNX file that it came from."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from smoothcert import audit, certify
from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.host.runtimes import open_host_network
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError, MissingPartError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.input_spec import METADATA_KEY, InputSpec
from smoothcert.engine.models.model import Model, model_files
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.cluster.shipping import receive, ship, shipped_bytes
from smoothcert.export.foreign.options import NOTHING_SAID, ModelOptions
from smoothcert.export.opening import open_model

openvino = pytest.importorskip("openvino")

SHAPE = (3, 6, 6)
LAW = LatticeGaussian(0.25)


def network(
    folder: Path,
    *,
    shape: list[int | str] | None = None,
    before: list[Any] | None = None,
    after: list[Any] | None = None,
    outputs: dict[str, list[int | str]] | None = None,
    classes: int = 4,
    made_of: int = TensorProto.FLOAT,
    metadata: dict[str, Any] | None = None,
    more: dict[str, npt.NDArray[Any]] | None = None,
) -> Path:
    """A linear classifier as ONNX: x [N, 3, 6, 6] to y; nodes before (x to i) and after."""
    rng = np.random.default_rng(0)
    shape = shape or ["N", *SHAPE]
    weights = {"w": rng.normal(size=(108, classes)).astype(np.float32), **(more or {})}
    graph = helper.make_graph(
        [
            *(before or [helper.make_node("Identity", ["x"], ["i"])]),
            helper.make_node("Flatten", ["i"], ["f"]),
            helper.make_node("MatMul", ["f", "w"], ["y"]),
            *(after or []),
        ],
        "g",
        [helper.make_tensor_value_info("x", made_of, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)
         for name, sides in (outputs or {"y": [shape[0], classes]}).items()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if metadata:
        helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    path = folder / "net.onnx"
    onnx.save(model, str(path))
    return path


def converted(onnx_file: Path, name: str = "net.xml") -> Path:
    path = onnx_file.parent / name
    openvino.save_model(openvino.convert_model(str(onnx_file)), str(path), compress_to_fp16=False)
    return path


def logits(model: Model, runtime: str, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    opened = open_host_network(model, runtime, None, len(rows), 1)
    opened.inputs[:] = rows
    return opened.run().copy()


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, outputs, **attributes)


INDEX = {"four": np.array([-1, 4, 1, 1], np.int64)}
KINDS: dict[str, tuple[dict[str, Any], ModelOptions, dict[str, Any]]] = {
    "plain": ({}, NOTHING_SAID, {}),
    "channels last": (
        {"shape": ["N", 6, 6, 3], "before": [node("Transpose", ["x"], ["i"], perm=[0, 3, 1, 2])]},
        NOTHING_SAID, {"layout": "nhwc"},
    ),
    "bytes": (
        {"made_of": TensorProto.UINT8, "before": [node("Cast", ["x"], ["i"], to=1)]},
        NOTHING_SAID, {"input_type": "uint8", "clamped": [0, 255]},
    ),
    "logits of four sides": (
        {"after": [node("Reshape", ["y", "four"], ["z"])], "more": INDEX,
         "outputs": {"z": ["N", 4, 1, 1]}},
        NOTHING_SAID, {"logits_shape": ["N", 4, 1, 1]},
    ),
    "one of two outputs": (
        {"after": [node("Relu", ["y"], ["z"])], "outputs": {"y": ["N", 4], "z": ["N", 4]}},
        ModelOptions(logits="z"), {"options": {"logits": "z"}, "logits": "z"},
    ),
    "one output": (
        {"classes": 1}, ModelOptions(threshold=0.5),
        {"options": {"threshold": 0.5}, "threshold": 0.5},
    ),
    "open sides": (
        {"shape": ["N", "c", "h", "w"]}, ModelOptions(input_shape=SHAPE),
        {"options": {"input_shape": [3, 6, 6]}, "input_shape": [3, 6, 6]},
    ),
    "fixed batch": ({"shape": [4, *SHAPE]}, NOTHING_SAID, {"batch": "opened"}),
    "normalised": (
        {}, ModelOptions(mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1)),
        {"options": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_what_the_onnx_file_does(tmp_path: Path, kind: str) -> None:
    arguments, options, adapted = KINDS[kind]
    file = network(tmp_path, **arguments)
    model, twin = open_model(converted(file), options), open_model(file, options)
    assert (model.spec, model.num_classes) == (twin.spec, twin.num_classes)
    assert not isinstance(model.batch, int)
    assert model.said[0] == "OpenVINO IR, which openvino runs"
    assert (model.origin.adapted if model.origin else {}) == adapted
    rows = np.random.default_rng(1).random((5, 108), np.float32) * 300 - 20
    expected = logits(twin, "onnxruntime", rows)
    np.testing.assert_allclose(logits(model, "openvino", rows), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", ["bytes", "channels last", "one output", "logits of four sides"])
def test_what_is_written_is_the_same_each_time(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though OpenVINO counts what a process makes, and names it so."""
    arguments, options, _ = KINDS[kind]
    path = converted(network(tmp_path, **arguments))
    written = []
    for name in ("one", "other"):
        monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / name))
        adapted = open_model(path, options).path
        assert adapted != path
        written.append([file.read_bytes() for file in model_files(adapted)])
    assert written[0] == written[1]


def test_its_identity_is_both_files(tmp_path: Path) -> None:
    path = converted(network(tmp_path))
    model = open_model(path)
    assert model_files(model.path) == [path, path.with_suffix(".bin")]
    assert model.given_sha256 == file_digest(path, path.with_suffix(".bin"))
    assert model.describe()["name"] == "net.xml"
    assert model.describe()["precision"] == "fp32"


def test_a_folder_as_optimum_writes_it(tmp_path: Path) -> None:
    path = converted(network(tmp_path), "openvino_model.xml")
    (tmp_path / "config.json").write_text("{}")
    assert open_model(tmp_path).given == path


def test_a_run_and_its_audit(tmp_path: Path) -> None:
    """Bytes in, so that what runs is a file of the cache; the manifest speaks of the user's."""
    arguments, _, _ = KINDS["bytes"]
    file = network(tmp_path, **arguments)
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.zeros(2, np.int64))
    logs = []
    for path, backend in ((converted(file), "auto"), (file, "onnxruntime")):
        log = tmp_path / f"{path.suffix}.tsv"
        certify(
            path, tmp_path / "images.npz", out=log, sigma=0.5, n0=10, n=50, seed=7, backend=backend
        ).run()
        logs.append([line.split("\t")[6:] for line in log.read_text().splitlines()])
    assert logs[0] == logs[1]
    manifest = json.loads((tmp_path / ".xml.tsv.json").read_text())
    assert manifest["run"]["model"]["name"] == "net.xml"
    assert manifest["run"]["backend"] == "openvino"
    report = audit(tmp_path / ".xml.tsv", tmp_path / "images.npz", rows=2)
    assert not report.findings


def test_it_is_shipped_whole(tmp_path: Path) -> None:
    model = open_model(converted(network(tmp_path)))
    shipped = ship(model, lambda content: content)
    assert shipped_bytes(model) == sum(content.nbytes for content in shipped.files.values())
    received = receive(shipped, lambda content: content)
    assert received.path != model.path
    assert file_digest(*model_files(received.path)) == model.sha256


def test_metadata_of_ours_survive_the_conversion(tmp_path: Path) -> None:
    spec = InputSpec(*SHAPE, (0.5,) * 3, (0.25,) * 3)
    path = converted(network(tmp_path, metadata={"arch": "toy", **spec.to_metadata()}))
    model = open_model(path)
    assert (model.spec, model.describe()["arch"], model.origin) == (spec, "toy", None)
    assert open_model(path, ModelOptions(mean=(0.5,) * 3)).spec == spec
    with pytest.raises(InputError, match="--mean 0,0,0 contradicts model"):
        open_model(path, ModelOptions(mean=(0.0,) * 3))


def test_metadata_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = converted(network(tmp_path, metadata=InputSpec(3, 4, 4).to_metadata()))
    with pytest.raises(InputError, match="its metadata says"):
        open_model(path)


def test_a_normalisation_that_is_noted_is_not_passed_over(tmp_path: Path) -> None:
    graph = openvino.convert_model(str(network(tmp_path)))
    graph.set_rt_info("123.675 116.28 103.53", ["model_info", "mean_values"])
    path = tmp_path / "noted.xml"
    openvino.save_model(graph, str(path), compress_to_fp16=False)
    with pytest.raises(InputError, match=r"notes mean_values 123\.675 116\.28 103\.53, of pixels"):
        open_model(path)
    assert open_model(path, ModelOptions(mean=(0.485, 0.456, 0.406))).spec.mean[0] == 0.485
    graph.set_rt_info("True", ["model_info", "embedded_processing"])
    openvino.save_model(graph, str(path), compress_to_fp16=False)
    assert open_model(path).spec.mean == ()


def test_a_batch_that_is_read_whole_is_kept_and_refused(tmp_path: Path) -> None:
    mean = [node("ReduceMean", ["x"], ["m"], axes=[0]), node("Sub", ["x", "m"], ["i"])]
    path = converted(network(tmp_path, shape=[4, *SHAPE], before=mean))
    model = open_model(path)
    assert model.batch == 4
    assert "batch fixed at 4: kept, since a batch of 5 gives other logits" in model.said
    with pytest.raises(InputError, match="in another place or company of a batch"):
        open_backend(model, LAW, 0, Compute())


def test_more_rows_than_images_are_no_logits(tmp_path: Path) -> None:
    twice = [node("Concat", ["y", "y"], ["z"], axis=0)]
    net = converted(network(tmp_path, after=twice, outputs={"z": ["M", 4]}))
    with pytest.raises(InputError, match=r"returns z \[4, 4\]: .* K classes for each image"):
        open_model(net)


def test_a_network_that_cannot_be_reshaped_keeps_its_batch(tmp_path: Path) -> None:
    by_place = [node("Add", ["x", "c"], ["i"])]
    constant = {"c": np.random.default_rng(2).random((2, *SHAPE), np.float32)}
    path = converted(network(tmp_path, shape=[2, *SHAPE], before=by_place, more=constant))
    model = open_model(path)
    assert model.batch == 2
    (kept,) = [said for said in model.said if said.startswith("batch fixed at 2: kept, since")]
    assert "\n" not in kept
    assert open_model(path).said == model.said


def test_a_network_that_draws_numbers_is_refused(tmp_path: Path) -> None:
    noise = [node("RandomNormalLike", ["x"], ["r"]), node("Add", ["x", "r"], ["i"])]
    with pytest.raises(InputError, match=r"\(RandomUniform\): it draws random numbers"):
        open_model(converted(network(tmp_path, before=noise)))


def test_a_quantised_network_is_called_so(tmp_path: Path) -> None:
    scale: dict[str, npt.NDArray[Any]] = {
        "s": np.array(0.02, np.float32),
        "z": np.array(128, np.uint8),
    }
    quantised = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["i"]),
    ]
    path = converted(network(tmp_path, before=quantised, more=scale))
    assert open_model(path).describe()["precision"] == "int8"


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        (Compute(backend="onnxruntime"), "backend onnxruntime does not run model"),
        (Compute(device="cuda:0"), "device cuda:0 does not run model"),
    ],
)
def test_nothing_else_runs_it(tmp_path: Path, compute: Compute, words: str) -> None:
    model = open_model(converted(network(tmp_path)))
    with pytest.raises(InputError, match=words):
        open_backend(model, LAW, 0, compute)


def test_auto_takes_openvino_and_probes(tmp_path: Path) -> None:
    model = open_model(converted(network(tmp_path)))
    described = open_backend(model, LAW, 0, Compute(batch=8)).describe()
    assert described["runtime"].startswith("openvino ")
    assert described["row_independence"]["verdict"] == "probed"


NO_TEXT = {
    "name": b"",
    "note": b'<framework><smoothcert value="\xff" /></framework>',
    "mean": b'<model_info><mean_values value="\xff" /></model_info>',
    "framework": b'<framework value="1" />',
}


def broken(path: Path, how: str) -> None:
    weights = path.with_suffix(".bin")
    if how == "missing":
        weights.unlink()
    elif how == "pointer":
        weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    elif how == "short":
        weights.write_bytes(weights.read_bytes()[:100])
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:1500])
    elif how == "old":
        path.write_text(path.read_text().replace('version="11"', 'version="7"', 1))
    elif how in NO_TEXT:
        # Far behind the beginning, by which kinds of files are told.
        content = path.read_bytes().replace(b"<layers>", b"<layers>" + b" " * 20_000, 1)
        before, _, after = content.rpartition(b"</rt_info>")
        if how == "name":
            path.write_bytes(content.replace(b'names="', b'names="\xff', 1))
        else:
            path.write_bytes(before + NO_TEXT[how] + b"</rt_info>" + after)
    elif how == "nothing":
        path.write_text('<net name="x" version="11"></net>')


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "is OpenVINO IR and net.bin is missing beside it"),
        ("pointer", "net.bin is a git-lfs pointer"),
        ("short", r"Incorrect weights in bin file!\): expected whole OpenVINO IR"),
        ("cut", "expected whole OpenVINO IR"),
        ("old", "OpenVINO IR of version 7: expected 10 or 11"),
        ("nothing", "has 0 inputs, none: expected one"),
        ("name", "codec can't decode byte 0xff"),
        ("note", "notes what is no text at framework/smoothcert"),
        ("mean", "notes what is no text at model_info/mean_values"),
        ("framework", "notes what is no text at framework/smoothcert"),
    ],
)
def test_what_is_broken_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], how: str, words: str
) -> None:
    path = converted(network(tmp_path))
    broken(path, how)
    capfd.readouterr()
    with pytest.raises(InputError, match=words) as refused:
        open_model(path)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr().err == ""


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = converted(network(tmp_path))
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingPartError, match=r"pip install 'smoothcert\[openvino\]'"):
        open_model(path)


def test_a_copy_of_one_of_its_files_alone(tmp_path: Path) -> None:
    path = converted(network(tmp_path), "openvino_model.xml")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(path, alone)
    with pytest.raises(InputError, match=r"openvino_model\.bin is missing beside it"):
        open_model(alone)
    with pytest.raises(InputError, match=r"give openvino_model\.xml"):
        open_model(path.with_suffix(".bin"))
