"""Models that fail, or want more than there is, when they are read or run: one line, and early."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile_files import mutated, read_or_refused
from hostile_models import (
    CLASSES,
    METADATA,
    SHAPE,
    classifier,
    fails_at_run_time,
    ir_of,
    keeps_weights_in,
    large_images,
    many_classes,
    one_row_fewer,
    source,
    twice_the_batch,
    wants_memory,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoothcert.cli.main import main
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.base.cores import cores_for, runnable_cores, usable_cores
from smoothcert.engine.base.errors import InputError, RunStoppedError
from smoothcert.engine.base.failing import opening, running
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.memory import available_memory
from smoothcert.export.opening import open_model

_RUN = ("--sigma", "0.25", "--n0", "10", "--n", "100", "--seed", "0")
_OURS = json.dumps(METADATA)

needs_memory_told = pytest.mark.skipif(
    available_memory() is None, reason="the system does not say how much memory is left"
)


def refused(
    capfd: pytest.CaptureFixture[str], model: Path, backend: str = "onnxruntime", *more: str
) -> str:
    """The one line of a run that is to be refused; no runtime says a word of its own."""
    images, log = source(model.with_name("x.npz")), model.with_name("o.tsv")
    arguments = ["certify", str(model), str(images), str(log), *_RUN, "--backend", backend, *more]
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capfd.readouterr()
    assert end.value.code == 2, said.err
    assert said.err.count("\n") == 1, said.err
    assert said.err[:-1].isprintable()
    assert len(said.err) < 1000
    assert not log.exists()
    return said.err


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BACKENDS = ("onnxruntime", "openvino")


def _with_backend(name: str) -> None:
    pytest.importorskip(name)


def _metadata(**changed: Any) -> str:
    return json.dumps({**METADATA, **changed})


METADATAS = {
    "o1 deep": "[" * 100_000,
    "o1 deep object": '{"a":' * 100_000,
    "o1 long number": "9" * 5000,
    "o2 infinite shape": _metadata(input_shape=[3, math.inf, 8]),
    "o2 nan shape": _metadata(input_shape=[3, math.nan, 8]),
    "o2 huge shape": _metadata(input_shape=[3, 10**30, 8]),
    "o2 words": _metadata(input_shape="abc"),
    "o3 surrogate": _metadata(arch="\ud800"),
    "o3 escape": _metadata(arch="\x1b[31m"),
    "o3 no name": _metadata(arch=7),
    "o3 surrogate key": _metadata(**{"\ud800": 1}),
    "o7 tiny std": _metadata(std=[1e-300] * 3),
    "o7 huge mean": _metadata(mean=[1e300] * 3),
    "o7 zero std": _metadata(std=[0.0] * 3),
    "o7 mean in words": _metadata(mean=["a"] * 3),
    "resize": _metadata(resize=10**12),
    "classes": _metadata(num_classes=10**9),
    "interpolation": _metadata(interpolation=[]),
    "precision": _metadata(precision="fp1"),
    "denoiser": _metadata(denoiser={"name": "x", "sha256": "", "sigma": -1}),
}


@pytest.mark.parametrize("kind", METADATAS)
def test_o1_o2_o3_o7_metadata(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refused(capfd, written(tmp_path / "m.onnx", classifier(METADATAS[kind])))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metadata", [None, _OURS], ids=["foreign", "ours"])
@pytest.mark.parametrize("build", [twice_the_batch, one_row_fewer])
def test_o4_an_output_of_other_rows_than_images(
    build: Any, metadata: str | None, backend: str, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    _with_backend(backend)
    refused(capfd, written(tmp_path / "m.onnx", build(metadata)), backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metadata", [None, _OURS], ids=["foreign", "ours"])
def test_o5_a_model_that_fails_when_it_runs(
    metadata: str | None, backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _with_backend(backend)
    model = written(tmp_path / "m.onnx", fails_at_run_time(metadata))
    assert "GatherElement" in refused(capfd, model, backend, "--batch", "4")
    assert "GatherElement" in refused(capfd, model, backend)
    assert "GatherElement" in refused(capfd, model, backend, "--threads", "1")


@needs_memory_told
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metadata", [None, _OURS], ids=["foreign", "ours"])
def test_o5_a_model_that_allocates_without_end(
    metadata: str | None, backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _with_backend(backend)
    # Far more than any machine has: a system may grant what it has not.
    model = written(tmp_path / "m.onnx", wants_memory(10**15, metadata))
    line = refused(capfd, model, backend, "--batch", "4")
    assert "llocat" in line or "memory" in line


def test_o5_and_o6_of_openvino_ir(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _with_backend("openvino")
    fails = ir_of(tmp_path / "fails.xml", fails_at_run_time())
    assert "GatherElement" in refused(capfd, fails, "auto", "--batch", "4")
    wide = ir_of(tmp_path / "wide.xml", many_classes(10**8))
    assert "100000000 outputs" in refused(capfd, wide, "auto")
    twice = ir_of(tmp_path / "twice.xml", twice_the_batch())
    refused(capfd, twice, "auto", "--batch", "4")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("classes", [10**8, 10**6 + 1, 2**40])
def test_o6_more_classes_than_a_row_has_room_for(
    classes: int, backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path / "m.onnx", many_classes(classes))
    assert f"{classes} outputs" in refused(capfd, model, backend)


@pytest.mark.parametrize("shape", [(3, 10**6, 10**6), (3, 60_000, 60_000), (3, 2**40, 2)])
def test_o6_images_larger_than_any(
    shape: tuple[int, int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path / "m.onnx", large_images(*shape))
    assert "out of range" in refused(capfd, model)


@pytest.mark.parametrize("metadata", [None, _OURS], ids=["foreign", "ours"])
@pytest.mark.parametrize("batch", [10**9, 2**40])
def test_n3_a_fixed_batch_beyond_every_run(
    batch: int, metadata: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path / "m.onnx", classifier(metadata, batch))
    assert f"a batch of {batch} images" in refused(capfd, model)


@pytest.mark.parametrize("backend", BACKENDS)
def test_n3_a_batch_is_bounded(
    backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path / "m.onnx", classifier())
    assert "--batch" in refused(capfd, model, backend, "--batch", "1000000000")


@needs_memory_told
@pytest.mark.parametrize("backend", BACKENDS)
def test_n3_a_batch_has_room_in_memory(
    backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path / "m.onnx", many_classes(10**6))
    line = refused(capfd, model, backend, "--batch", str(2**20))
    assert "GB of memory" in line


def test_n4_threads_are_bounded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = written(tmp_path / "m.onnx", classifier())
    assert "--threads" in refused(capfd, model, "onnxruntime", "--threads", "100000")
    assert cores_for(1024) == max(usable_cores(), runnable_cores())


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../w.bin", "a/../../w.bin", "w.bin", ".", "", "fifo"]
)
def test_weights_elsewhere(
    location: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "fifo")
    refused(capfd, keeps_weights_in(tmp_path / "m.onnx", location))


def _alive(forward: Any, classes: int = CLASSES, batch: int = 16) -> str:
    """Why a live torch module whose forward is this cannot be certified."""
    torch = pytest.importorskip("torch")
    from smoothcert import Smooth

    class Net(torch.nn.Module):  # type: ignore[name-defined,misc]
        def forward(self, images: Any) -> Any:
            return forward(torch, images)

    def certified() -> None:
        smooth = Smooth(Net(), num_classes=classes, sigma=0.25, seed=0)
        smooth.certify(torch.zeros(SHAPE), n0=10, n=100, alpha=0.001, batch_size=batch)

    with pytest.raises(InputError) as error:
        certified()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_o4_o5_of_a_live_module() -> None:
    def rows(torch: Any, images: Any) -> Any:
        return torch.cat([images, images]).flatten(1)[:, :CLASSES]

    def fails(torch: Any, images: Any) -> Any:
        return images.flatten(1)[:, 10**9]

    def allocates(torch: Any, images: Any) -> Any:
        return torch.ones(10**15) + images

    assert "(32, 4)" in _alive(rows)
    assert "out of bounds" in _alive(fails)
    assert "more memory than there is" in _alive(allocates)


@needs_memory_told
def test_o6_n3_of_a_live_module() -> None:
    def wide(torch: Any, images: Any) -> Any:
        return images.mean((1, 2, 3))[:, None].expand(-1, 10**8)

    _alive(wide, 10**8)
    _alive(wide, 10**6, 2**20)
    _alive(wide, CLASSES, 10**9)


class _Broken:
    """A network that is well until it is told to fail."""

    def __init__(self) -> None:
        self.spec, self.num_classes = InputSpec(*SHAPE), CLASSES
        self.inputs = np.zeros((4, 192), np.float32)
        self.error: Exception | None = None
        self.rows = 4

    def run(self) -> Any:
        if self.error is not None:
            raise self.error
        return np.zeros((self.rows, CLASSES), np.float32)

    def describe(self) -> dict[str, Any]:
        return {"runtime": "a runtime"}


def test_o4_o5_in_the_middle_of_a_run_what_was_written_is_kept() -> None:
    from smoothcert.engine.backends.base import Rows
    from smoothcert.engine.noise.lattice import LatticeGaussian

    network = _Broken()
    backend = HostBackend(network, LatticeGaussian(0.25), 0)
    backend.place(0, 0, np.zeros(SHAPE, np.uint8))
    rows = Rows(np.zeros(4, np.int32), np.arange(4, dtype=np.uint32), np.ones(4, np.uint32))
    backend.submit(rows)
    backend.collect()
    network.error = RuntimeError("std::bad_alloc")
    with pytest.raises(RunStoppedError, match="a runtime failed: it wants more memory"):
        backend.logits(rows)
    network.error, network.rows = None, 8
    with pytest.raises(InputError, match="a row for each image"):
        backend.logits(rows)


@pytest.mark.parametrize(
    "error", [RuntimeError("a\nb"), MemoryError(), KeyError("x"), np.linalg.LinAlgError("odd")]
)
def test_o5_whatever_a_runtime_raises_is_a_line(error: Exception) -> None:
    for doing, kind in ((opening, InputError), (running, RunStoppedError)):
        with pytest.raises(kind) as found, doing("model m"):
            raise error
        assert str(found.value).startswith("model m")
        assert len(str(found.value).splitlines()) == 1
        assert found.value.__cause__ is error


_FUZZ = settings(max_examples=80, deadline=None, derandomize=True, database=None,
                 suppress_health_check=list(HealthCheck))  # fmt: skip


@_FUZZ
@given(data=st.data())
def test_o1_mutated_onnx(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    read_or_refused(
        tmp_path_factory.getbasetemp() / "fuzzed.onnx",
        data.draw(mutated(classifier(_OURS))),
        open_model,
    )


_SIDES = st.sampled_from((-1, 0, 1, 2, 2**31, 2**62))


@_FUZZ
@given(
    sides=st.lists(_SIDES, max_size=5), out=st.lists(_SIDES, max_size=3), raw=st.binary(max_size=9)
)
def test_o1_fields_of_onnx_that_contradict_each_other(
    tmp_path_factory: pytest.TempPathFactory, sides: list[int], out: list[int], raw: bytes
) -> None:
    model = onnx.load_from_string(classifier())
    for value, changed in ((model.graph.input[0], sides), (model.graph.output[0], out)):
        del value.type.tensor_type.shape.dim[:]
        for side in changed:
            value.type.tensor_type.shape.dim.add(dim_value=side)
    model.graph.initializer[0].raw_data = raw or model.graph.initializer[0].raw_data
    read_or_refused(
        tmp_path_factory.getbasetemp() / "fuzzed.onnx", model.SerializeToString(), open_model
    )
