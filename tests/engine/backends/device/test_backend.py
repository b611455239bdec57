"""The device backend on the CPU: unmodified kernels, real ONNX Runtime, streams that run late."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_device import HostDevice, When
from host_network import HostNetwork

from smoothcert.engine.backends.base import NO_VOTE, Backend, Compute, Rows
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.bench.loops import RuntimeLoop
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.procedures import FixedCertify, Predict, Procedure
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.export.opening import open_model

DATA = Path(__file__).parents[4] / "data"
LAW = LatticeGaussian(0.25)
SEED = 0xFEDCBA9876543210


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The demo's Fashion-MNIST network, exported once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMOOTHCERT_CACHE", str(tmp_path_factory.mktemp("export")))
        return open_model(DATA / "fashion_mnist_sigma25.pth")


@pytest.fixture(scope="module")
def images(demo: Model) -> list[LabelledImage]:
    source = open_source(str(DATA / "fashion_mnist_500.npz"), demo.spec, demo.num_classes)
    return [LabelledImage(i, source.label(i), source.image(i)) for i in range(5)]


def certificates(backend: Backend, procedure: Procedure, images: list[LabelledImage]) -> Any:
    """What a log says of the images, the time aside."""
    outcomes = list(Scheduler(backend, procedure).run(images))
    return {o.index: (o.label, o.decision) for o in outcomes}


PROCEDURES: dict[str, Procedure] = {
    "certify": FixedCertify(0.25, 20, 90, 0.001),
    "table": TableCertify(0.25, (0.0, 0.25, 0.5), 200, 0.001),
    "predict": Predict(50, 0.001),
}


@pytest.fixture(scope="module")
def expected(demo: Model, images: list[LabelledImage]) -> dict[str, Any]:
    """The host backend's certificates."""
    return {
        name: certificates(
            open_backend(demo, LAW, SEED, Compute(backend="onnxruntime", batch=64)),
            procedure,
            images,
        )
        for name, procedure in PROCEDURES.items()
    }


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize(
    ("when", "batch", "options"),
    [
        ("late", 32, {}),
        ("eager", 7, {"graph": False}),
        ("late", 300, {"num_slots": 2}),
        (1, 33, {"depth": 3}),
        (2, 64, {"depth": 4, "num_slots": 3}),
        (3, 11, {"depth": 1}),
    ],
)
def test_certificates_are_those_of_the_host(
    demo: Model,
    images: list[LabelledImage],
    expected: dict[str, Any],
    procedure: str,
    when: When,
    batch: int,
    options: dict[str, Any],
) -> None:
    device = HostDevice(when)
    backend = DeviceBackend(device, HostNetwork(device, demo, batch), LAW, SEED, **options)
    assert certificates(backend, PROCEDURES[procedure], images) == expected[procedure]


SHAPE = (3, 5, 4)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Model:
    rng = np.random.default_rng(0)
    return open_onnx(linear_model(rng.normal(size=(5, 60)), rng.normal(size=5), SHAPE))


def filled(backend: Backend) -> Backend:
    rng = np.random.default_rng(2)
    for slot in range(3):
        backend.place(slot, 100 + slot, rng.integers(0, 256, SHAPE).astype(np.uint8))
    return backend


def rows(order: np.ndarray) -> Rows:
    """Rows 0 .. 59 of a fixed list, in the given order."""
    slots = (np.arange(60) % 3).astype(np.int32)[order]
    samples = (np.arange(60) // 3).astype(np.uint32)[order]
    return Rows(slots, samples, np.ones(len(order), np.uint32))


def votes(backend: Backend, order: np.ndarray) -> list[int]:
    backend.submit(rows(order))
    found: list[int] = backend.collect().tolist()
    return found


def test_a_vote_depends_on_its_row_alone(model: Model) -> None:
    expected = np.array(
        votes(
            filled(open_backend(model, LAW, 9, Compute(backend="onnxruntime", batch=60))),
            np.arange(60),
        )
    )
    order = np.random.default_rng(5).permutation(60)
    for batch in (60, 64, 100):
        device = HostDevice()
        backend = filled(DeviceBackend(device, HostNetwork(device, model, batch), LAW, 9))
        assert votes(backend, order) == expected[order].tolist()
        assert votes(backend, order[:7]) == expected[order[:7]].tolist()
        assert votes(backend, order[50:]) == expected[order[50:]].tolist()


@pytest.mark.parametrize("scalar", ["float16", "bfloat16"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc3", "nhwc3_pad4", "nhwc3_pad8"])
def test_other_number_types_and_layouts(model: Model, scalar: str, layout: str) -> None:
    """The layout changes nothing, and a half type only votes on the edge."""
    votes_of = []
    for variant in ("nchw", layout):
        device = HostDevice()
        network = HostNetwork(device, model, 60, scalar, variant)
        votes_of.append(votes(filled(DeviceBackend(device, network, LAW, 9)), np.arange(60)))
    assert votes_of[0] == votes_of[1]
    full = votes(
        filled(open_backend(model, LAW, 9, Compute(backend="onnxruntime", batch=60))), np.arange(60)
    )
    assert sum(a != b for a, b in zip(votes_of[0], full, strict=True)) <= 2


def test_logits_that_are_not_finite_do_not_vote(linear_model: Callable[..., Path]) -> None:
    """A weight so large that some rows overflow: they vote as on the host, for no class."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(5, 60)) * 5e37
    opened = open_onnx(linear_model(weight.astype(np.float32), np.zeros(5), SHAPE))
    expected = votes(
        filled(open_backend(opened, LAW, 9, Compute(backend="onnxruntime", batch=60))),
        np.arange(60),
    )
    assert 0 < expected.count(NO_VOTE) < 60
    device = HostDevice()
    backend = filled(DeviceBackend(device, HostNetwork(device, opened, 60), LAW, 9))
    assert votes(backend, np.arange(60)) == expected


def test_memory_is_planned_and_traffic_is_small(model: Model) -> None:
    device = HostDevice()
    backend = DeviceBackend(device, HostNetwork(device, model, 64), LAW, 9, num_slots=4)
    allocated, uploaded, downloaded = device.allocated, device.uploaded, device.downloaded
    images = [LabelledImage(i, 0, np.full(SHAPE, 40 * i, np.uint8)) for i in range(6)]
    batches: list[int] = []
    procedure = FixedCertify(0.25, 10, 310, 0.001)
    outcomes = list(Scheduler(backend, procedure, batches.append).run(images))
    assert len(outcomes) == 6
    assert sum(batches) == 6 * 320
    assert device.allocated == allocated
    assert device.uploaded - uploaded == 6 * (60 + 4) + len(batches) * 64 * 16
    assert device.downloaded - downloaded == len(batches) * 64 * 4


def test_batches_are_launched_as_graphs_or_it_is_said_why_not(model: Model) -> None:
    def opened(prepare: Callable[[HostDevice, HostNetwork], object], **options: Any) -> Backend:
        device = HostDevice()
        network = HostNetwork(device, model, 60)
        prepare(device, network)
        return filled(DeviceBackend(device, network, LAW, 9, **options))

    def nothing(device: HostDevice, network: HostNetwork) -> None:
        pass

    expected = votes(
        filled(open_backend(model, LAW, 9, Compute(backend="onnxruntime", batch=60))), np.arange(60)
    )
    cases: list[tuple[str, Callable[[HostDevice, HostNetwork], object], dict[str, Any]]] = [
        ("a graph per batch", nothing, {}),
        ("one by one, as asked", nothing, {"graph": False}),
        (
            "one by one: the network cannot be recorded into a graph",
            lambda device, network: setattr(network, "capturable", False),
            {},
        ),
        (
            "one by one: this runtime does not record graphs",
            lambda device, network: setattr(device, "can_capture", False),
            {},
        ),
        (
            "one by one: a graph could not be recorded (refused inside a capture)",
            lambda device, network: setattr(network, "fails_inside_capture", True),
            {},
        ),
    ]
    for words, prepare, options in cases:
        backend = opened(prepare, **options)
        assert backend.describe()["launches"] == words
        for _ in range(3):
            assert votes(backend, np.arange(60)) == expected


def test_a_graph_that_does_something_else_is_not_used(model: Model) -> None:
    """Recording may go wrong without an error: the replay is compared with the run itself."""
    device = HostDevice()
    network = HostNetwork(device, model, 60)
    network.records_nothing = True
    backend = filled(DeviceBackend(device, network, LAW, 9))
    words = "one by one: a recorded batch gave other logits than the batch itself"
    assert backend.describe()["launches"] == words
    expected = votes(
        filled(open_backend(model, LAW, 9, Compute(backend="onnxruntime", batch=60))), np.arange(60)
    )
    assert votes(backend, np.arange(60)) == expected


def test_a_replay_runs_the_network_once(model: Model) -> None:
    device = HostDevice()
    network = HostNetwork(device, model, 60)
    backend = filled(DeviceBackend(device, network, LAW, 9))
    before = network.runs
    votes(backend, np.arange(60))
    assert network.runs == before + 1


@pytest.mark.parametrize("graph", [True, False])
def test_the_bare_network_runs_as_often_as_asked_and_changes_no_vote(
    model: Model, graph: bool
) -> None:
    device = HostDevice()
    network = HostNetwork(device, model, 16)
    backend = filled(DeviceBackend(device, network, LAW, SEED, graph=graph))
    before = votes(backend, np.arange(16))
    backend.run_network()
    runs = network.runs
    backend.run_network(5)
    assert network.runs == runs + 5  # and all of them are done
    assert np.array_equal(votes(backend, np.arange(16)), before)
    samples, _ = RuntimeLoop(backend).run(0.01)
    assert (network.runs - runs - 6) * 16 == samples


def test_nothing_waits_before_a_vote_is_collected(model: Model) -> None:
    """On a device that does only what is waited for, submitting does nothing at all."""
    device = HostDevice("late")
    network = HostNetwork(device, model, 60)
    backend = filled(DeviceBackend(device, network, LAW, 9))
    before = network.runs
    backend.submit(rows(np.arange(60)))
    backend.submit(rows(np.arange(30)))
    assert network.runs == before
    assert len(backend.collect()) == 60
    assert network.runs == before + 1
    assert len(backend.collect()) == 30


@pytest.mark.parametrize("shared_memory", [0, 227 * 1024])
def test_the_guide_is_shared_where_the_device_has_room(
    demo: Model, images: list[LabelledImage], expected: dict[str, Any], shared_memory: int
) -> None:
    device = HostDevice("eager", shared_memory)
    backend = DeviceBackend(device, HostNetwork(device, demo, 400), LAW, SEED)
    guide = "shared" if shared_memory else "global"
    assert backend.describe()["noise"] == f"noise_add_nchw_float32_{guide}"
    assert certificates(backend, PROCEDURES["predict"], images) == expected["predict"]


def test_a_seed_beyond_64_bits_is_refused(model: Model) -> None:
    device = HostDevice()
    with pytest.raises(InputError, match="seed"):
        DeviceBackend(device, HostNetwork(device, model, 8), LAW, 2**64)


def test_everything_happens_on_its_own_device_and_ends(model: Model) -> None:
    """Other libraries' calls inside a network go to the thread's current device."""
    device = HostDevice()
    backend = DeviceBackend(device, HostNetwork(device, model, 60), LAW, 9)
    votes(filled(backend), np.arange(60))
    backend.run_network(2)
    backend.close()
    backend.close()
    assert device.outside == {}
    assert device.depth == 0
    assert device.released == 1
