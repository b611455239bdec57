"""Continuous batching changes nothing but the order of work."""

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.backends.base import Compute, Rows
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.run.scheduler import REPEATED, Scheduler
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.procedures import (
    Decision,
    FixedCertify,
    Predict,
    Procedure,
    SampleRange,
    Trial,
)

SHAPE = (1, 6, 5)
LAW = LatticeGaussian(0.5)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    rng = np.random.default_rng(0)
    return linear_model(rng.normal(size=(4, 30)), rng.normal(size=4), SHAPE)


def images(count: int = 9) -> list[LabelledImage]:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, *SHAPE)).astype(np.uint8)
    return [LabelledImage(7 * i, i % 4, pixels[i]) for i in range(count)]


def decisions(outcomes: list[Certificate]) -> dict[int, tuple[int, Decision]]:
    return {o.index: (o.label, o.decision) for o in outcomes}


class Halving:
    """A procedure whose images need very different numbers of samples: stops when ahead."""

    max_samples = 1700

    def trial(self, label: int | None = None) -> Trial:
        counts = yield SampleRange(Purpose.SELECTION, 0, 10)
        n = 0
        total = np.zeros_like(counts)
        for size in (30, 70, 200, 1400):
            total += yield SampleRange(Purpose.ESTIMATION, n, size)
            n += size
            if total.max() > 0.6 * n:
                break
        return Decision(int(total.argmax()), 0.0, int(total.max()), n, 10, n + 10)

    def radius_of(self, count: int, n: int, runner_up: int | None = None) -> float:
        return 0.0

    def certifies(self, count: int, n: int, runner_up: int | None = None) -> bool:
        return True

    def describe(self) -> dict[str, object]:
        return {}


def run(
    path: Path, batch: int, todo: list[LabelledImage], procedure: Procedure
) -> list[Certificate]:
    backend = open_backend(open_onnx(path), LAW, 11, Compute(batch=batch))
    return list(Scheduler(backend, procedure).run(todo))


def counted_directly(path: Path, image: LabelledImage, wanted: SampleRange) -> list[int]:
    """Class counts with numpy alone: no scheduler, no runtime, no batches."""
    import onnx
    from onnx import numpy_helper

    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}
    noise = LAW.sample(11, image.index, wanted.first, wanted.count, 30, wanted.purpose)
    noisy = (image.pixels.reshape(-1) + noise) / 255.0
    logits = noisy @ tensors["weight"].T.astype(np.float64) + tensors["bias"]
    counts = np.bincount(logits.argmax(axis=1), minlength=4)
    return [int(count) for count in counts]


def test_counts_are_those_of_a_direct_computation(model: Path) -> None:
    procedure = FixedCertify(0.5, n0=20, n=500)
    for outcome, image in zip(run(model, 64, images(), procedure), images(), strict=True):
        assert outcome.index == image.index
        selection = counted_directly(model, image, SampleRange(Purpose.SELECTION, 0, 20))
        estimation = counted_directly(model, image, SampleRange(Purpose.ESTIMATION, 0, 500))
        assert outcome.decision.count == estimation[int(np.argmax(selection))]


@pytest.mark.parametrize("procedure", [FixedCertify(0.5, n0=20, n=500), Halving()])
def test_batch_size_order_and_shards_change_nothing(model: Path, procedure: Procedure) -> None:
    expected = decisions(run(model, 64, images(), procedure))
    assert len(expected) == 9
    for batch in (1, 7, 1000):
        assert decisions(run(model, batch, images(), procedure)) == expected
    shuffled = images()
    random.Random(3).shuffle(shuffled)
    assert decisions(run(model, 64, shuffled, procedure)) == expected
    shards = [decisions(run(model, 33, images()[i::2], procedure)) for i in range(2)]
    assert shards[0] | shards[1] == expected


class Lagging:
    """A backend whose votes come late, as a device's do: four batches in flight."""

    depth = 4

    def __init__(self, inner: HostBackend) -> None:
        self._inner = inner
        self.spec, self.num_classes = inner.spec, inner.num_classes
        self.batch_size, self.num_slots = inner.batch_size, inner.num_slots
        self.stage_seconds = inner.stage_seconds
        self.sizes: list[int] = []
        self.busy: dict[int, int] = {}
        self._rows: list[Rows] = []

    def place(self, slot: int, image_id: int, image: npt.NDArray[np.uint8]) -> None:
        assert not any((rows.slots == slot).any() for rows in self._rows), "slot still in flight"
        self._inner.place(slot, image_id, image)

    def run_network(self, times: int = 1) -> None:
        self._inner.run_network(times)

    def submit(self, rows: Rows) -> None:
        assert len(self._rows) < self.depth
        self._rows.append(rows)
        self.sizes.append(len(rows))
        self._inner.submit(rows)

    def collect(self) -> npt.NDArray[np.int32]:
        self._rows.pop(0)
        return self._inner.collect()

    def describe(self) -> dict[str, object]:
        return {}

    def close(self) -> None:
        self._inner.close()


def test_late_votes_change_nothing_and_batches_stay_full(model: Path) -> None:
    procedure = Halving()
    expected = decisions(run(model, 64, images(40), procedure))
    inner = open_backend(open_onnx(model), LAW, 11, Compute(batch=32))
    assert isinstance(inner, HostBackend)
    backend = Lagging(inner)
    outcomes = list(Scheduler(backend, procedure).run(images(40)))
    assert decisions(outcomes) == expected
    total = sum(o.decision.drawn for o in outcomes)
    again = sum(o.repeated for o in outcomes)
    assert sum(backend.sizes) == total + again  # no other row is drawn twice or for nothing
    assert 40 <= again < total / 64
    full = sum(size == 32 for size in backend.sizes)
    assert full >= 0.9 * len(backend.sizes)


def test_an_abandoned_run_leaves_nothing_in_flight(model: Path) -> None:
    """The backend then serves another run as if nothing had been."""
    expected = decisions(run(model, 64, images(), Halving()))
    inner = open_backend(open_onnx(model), LAW, 11, Compute(batch=32))
    assert isinstance(inner, HostBackend)
    backend = Lagging(inner)
    batches: list[int] = []

    def stop(samples: int) -> None:
        batches.append(samples)
        if len(batches) == 3:
            raise KeyboardInterrupt

    scheduler = Scheduler(backend, Halving(), stop)
    with pytest.raises(KeyboardInterrupt):
        list(scheduler.run(images(40)))
    assert len(backend.sizes) > 3  # some were still in flight
    scheduler.abandon()
    assert decisions(list(Scheduler(backend, Halving()).run(images()))) == expected


class Watched(Lagging):
    """Keeps what was asked of it: by address of a sample, where it stood, and in which batch."""

    def __init__(self, inner: HostBackend, depth: int) -> None:
        super().__init__(inner)
        self.depth = depth
        self.asked: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
        self.images: dict[int, int] = {}

    def place(self, slot: int, image_id: int, image: npt.NDArray[np.uint8]) -> None:
        super().place(slot, image_id, image)
        self.images[slot] = image_id

    def submit(self, rows: Rows) -> None:
        for place in range(len(rows)):
            image = self.images[int(rows.slots[place])]
            address = (image, int(rows.purposes[place]), int(rows.samples[place]))
            self.asked.setdefault(address, []).append((len(self.sizes), place))
        super().submit(rows)


def watched(path: Path, batch: int, depth: int) -> Watched:
    inner = open_backend(open_onnx(path), LAW, 11, Compute(batch=batch))
    assert isinstance(inner, HostBackend)
    return Watched(inner, depth)


@pytest.mark.parametrize(("batch", "depth"), [(1, 1), (1, 3), (16, 1), (16, 4), (1000, 2)])
def test_a_few_rows_of_every_image_are_drawn_again_in_a_later_batch(
    model: Path, batch: int, depth: int
) -> None:
    backend = watched(model, batch, depth)
    outcomes = list(Scheduler(backend, Halving()).run(images(20)))
    again = {address: found for address, found in backend.asked.items() if len(found) > 1}
    assert all(len(found) == 2 and found[0][0] < found[1][0] for found in again.values())
    for outcome in outcomes:
        own = [address for address in again if address[0] == outcome.index]
        assert outcome.repeated == len(own)
        assert 1 <= len(own) <= min(REPEATED, 1 + outcome.decision.drawn // 128)
        assert outcome.turned == 0
    places = [(first[1], second[1]) for first, second in again.values()]
    assert batch == 1 or sum(one != other for one, other in places) > len(places) / 2


@pytest.mark.parametrize("batch", [1, 16, 1000])
def test_which_rows_does_not_depend_on_the_batch(model: Path, batch: int) -> None:
    def twice(size: int) -> set[tuple[int, int, int]]:
        backend = watched(model, size, 2)
        list(Scheduler(backend, Halving()).run(images(20)))
        return {address for address, found in backend.asked.items() if len(found) > 1}

    assert twice(batch) == twice(64)


class Turning(Watched):
    """Another class for every row that is asked a second time."""

    def submit(self, rows: Rows) -> None:
        super().submit(rows)
        turns = [
            len(self.asked[self.images[int(slot)], int(purpose), int(sample)]) > 1
            for slot, purpose, sample in zip(rows.slots, rows.purposes, rows.samples, strict=True)
        ]
        self.turns.append(np.array(turns))

    def __init__(self, inner: HostBackend, depth: int) -> None:
        super().__init__(inner, depth)
        self.turns: list[npt.NDArray[np.bool_]] = []

    def collect(self) -> npt.NDArray[np.int32]:
        votes = super().collect()
        return np.where(self.turns.pop(0), 3 - votes, votes).astype(np.int32)


def test_votes_that_differ_are_counted_and_change_no_decision(model: Path) -> None:
    expected = decisions(run(model, 16, images(), Halving()))
    inner = open_backend(open_onnx(model), LAW, 11, Compute(batch=16))
    assert isinstance(inner, HostBackend)
    outcomes = list(Scheduler(Turning(inner, 2), Halving()).run(images()))
    assert decisions(outcomes) == expected
    assert all(o.turned == o.repeated >= 1 for o in outcomes)


def test_a_short_run_need_not_spend_a_batch_on_rows_drawn_again(model: Path) -> None:
    """One batch has all of them; more images, and they have company."""
    for last_batch, batches, repeated in ((True, 2, REPEATED), (False, 1, 0)):
        backend = watched(model, 1000, 1)
        procedure = Predict(500, 0.001, 0.0)
        (outcome,) = Scheduler(backend, procedure, last_batch=last_batch).run(images(1))
        assert (len(backend.sizes), outcome.repeated) == (batches, repeated)
    backend = watched(model, 10, 1)
    list(Scheduler(backend, Predict(500, 0.001, 0.0), last_batch=False).run(images(1)))
    assert len(backend.sizes) == 51  # a fiftieth


def test_few_slots_only_cost_speed(model: Path) -> None:
    expected = decisions(run(model, 64, images(), Halving()))
    inner = open_backend(open_onnx(model), LAW, 11, Compute(batch=64))
    assert isinstance(inner, HostBackend)
    inner.num_slots = 1
    outcomes = list(Scheduler(inner, Halving()).run(images()))
    assert decisions(outcomes) == expected


def test_seconds_add_up_and_progress_counts_samples(model: Path) -> None:
    seen: list[int] = []
    backend = open_backend(open_onnx(model), LAW, 11, Compute(batch=64))
    procedure = FixedCertify(0.5, n0=20, n=500)
    outcomes = list(Scheduler(backend, procedure, seen.append).run(images()))
    assert sum(seen) == 9 * 520
    shares = [o.seconds for o in outcomes]
    assert min(shares) > 0


def test_no_images(model: Path) -> None:
    assert run(model, 8, [], FixedCertify(0.5, n0=5, n=50)) == []


def test_outcomes_are_plain_values(model: Path) -> None:
    (outcome,) = run(model, 8, images(1), FixedCertify(0.5, n0=5, n=50))
    assert dataclasses.asdict(outcome)["decision"]["n"] == 50
