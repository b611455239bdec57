"""The device backend: noise, network and votes on a GPU, one graph launch per batch.

Images go up once, sixteen bytes a row go up and four come down; noise, inputs and logits never
leave the device. All memory is planned in the constructor. Every batch has a place in a ring of
`depth`, so that the host prepares the next one while the device works on this one.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.base import Rows
from smoothcert.engine.backends.device.network import (
    CapturingNetwork,
    DeviceNetwork,
    input_elements,
)
from smoothcert.engine.backends.device.noise import DeviceNoise, upload_constant
from smoothcert.engine.backends.device.runtime import (
    DeviceArray,
    DeviceRuntime,
    Launch,
    Replay,
)
from smoothcert.engine.base.errors import DeviceMemoryError, one_line
from smoothcert.engine.base.failing import running
from smoothcert.engine.base.input_spec import SCALAR_BYTES
from smoothcert.engine.noise.lattice import LatticeGaussian

_PADDING = np.uint32(2**32 - 1)  # slot -1
_VOTE_BLOCK = 256


@dataclass
class _Place:
    """What a batch in flight needs to itself; `count` is the rows it holds."""

    staged_rows: npt.NDArray[np.uint32]
    rows: DeviceArray
    noise: Launch
    vote: Launch
    votes: DeviceArray
    staged_votes: npt.NDArray[np.int32]
    done: Any
    replay: Replay | None = None
    count: int = 0


class DeviceBackend:
    """A Backend (backends/base.py) on one device.

    runtime    the device
    network    what classifies; this backend binds it to its buffers
    law, seed  the noise
    num_slots  images held at a time
    depth      batches in flight; two keep the device busy
    graph      record noise, network and votes into a CUDA graph, where runtime and network can
    notes      further entries of describe()

    Whatever device is the caller's current one, it is so again after every call. Raises
    DeviceMemoryError where the device's memory is too small.
    """

    def __init__(
        self,
        runtime: DeviceRuntime,
        network: DeviceNetwork,
        law: LatticeGaussian,
        seed: int,
        *,
        num_slots: int = 128,
        depth: int = 2,
        graph: bool = True,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self._notes = dict(notes or {})
        with runtime.current():
            self._plan(runtime, network, law, seed, num_slots, depth)
            self._launches = self._record() if graph else "one by one, as asked"

    def _plan(
        self,
        runtime: DeviceRuntime,
        network: DeviceNetwork,
        law: LatticeGaussian,
        seed: int,
        num_slots: int,
        depth: int,
    ) -> None:
        """All memory, and a first run of every batch's work."""
        self.spec = network.spec
        self.num_classes = network.num_classes
        self.batch_size = network.batch_size
        self.num_slots = num_slots
        self.depth = depth
        self.stage_seconds: dict[str, float] = {}
        self._bare: Replay | None = None
        self._closed = False
        self._runtime = runtime
        self._network = network
        self._name = str(network.describe()["runtime"])
        self._stream = runtime.stream()
        # A slot's pixels are staged in a place of their own: the slot has no rows in flight when
        # it is filled again, so its last copy is long done.
        self._staged_images = runtime.pinned((num_slots, self.spec.num_pixels), np.uint8)
        self._staged_ids = runtime.pinned((num_slots, 1), np.uint32)
        self._images = runtime.allocate((num_slots, self.spec.num_pixels), np.uint8)
        self._image_ids = runtime.allocate((num_slots, 1), np.uint32)
        input_bytes = input_elements(network) * SCALAR_BYTES[network.input_scalar]
        self._inputs = [runtime.allocate((input_bytes,), np.uint8) for _ in range(depth)]
        row_bytes = self.num_classes * SCALAR_BYTES[network.logits_scalar]
        self._logits = runtime.allocate((self.batch_size, row_bytes), np.uint8)
        network.bind(
            [buffer.pointer for buffer in self._inputs],
            self._logits.pointer,
            self._stream.pointer,
        )
        self._noise = DeviceNoise(runtime, network, law, seed)
        self._ring = [self._make_place(inputs) for inputs in self._inputs]
        self._submitted = self._collected = 0
        for number in range(depth):  # the first runs allocate, and must not be recorded
            self._enqueue(number)
            self._stream.synchronize()

    def _make_place(self, inputs: DeviceArray) -> _Place:
        runtime, batch = self._runtime, self.batch_size
        staged_rows = runtime.pinned((batch, 4), np.uint32)
        staged_rows[:, 0] = _PADDING
        rows = upload_constant(runtime, staged_rows)
        votes = runtime.allocate((batch,), np.int32)
        sizes = (np.uint32(batch), np.uint32(self.num_classes))
        return _Place(
            staged_rows,
            rows,
            self._noise.launch(self._images, self._image_ids, rows, inputs),
            runtime.kernel(
                loader.vote_kernel(self._network.logits_scalar),
                -(-batch * 32 // _VOTE_BLOCK),
                _VOTE_BLOCK,
                (self._logits, rows, *sizes, votes),
            ),
            votes,
            runtime.pinned((batch,), np.int32),
            runtime.event(),
        )

    def _record(self) -> str:
        """Record each place's batch into a graph; says how batches will be launched."""
        if not self._network.capturable:
            return "one by one: the network cannot be recorded into a graph"
        if not (isinstance(self._network, CapturingNetwork) or self._runtime.can_capture):
            return "one by one: this runtime does not record graphs"
        replays: list[Replay] = []
        try:
            for number in range(self.depth):
                replays.append(self._capture(partial(self._enqueue, number)))
        except DeviceMemoryError:
            raise
        except RuntimeError as error:
            self._enqueue(0)  # shows whether the stream survived
            self._stream.synchronize()
            return f"one by one: a graph could not be recorded ({one_line(error, None)})"
        for number, replay in enumerate(replays):
            if not self._agrees(number, replay):
                return "one by one: a recorded batch gave other logits than the batch itself"
        for place, replay in zip(self._ring, replays, strict=True):
            place.replay = replay
        return "a graph per batch"

    def _capture(self, work: Callable[[], None]) -> Replay:
        """Record what `work` enqueues; raises RuntimeError where it cannot be recorded."""
        if isinstance(self._network, CapturingNetwork):
            return self._network.capture(work)
        return self._runtime.capture(work, self._stream)

    def _agrees(self, number: int, replay: Replay) -> bool:
        """Whether a replay does what it recorded: samples of a black image, bit for bit."""
        place, runtime = self._ring[number], self._runtime
        place.staged_rows[:] = 0
        place.staged_rows[:, 1] = np.arange(self.batch_size)
        runtime.upload(place.staged_rows, place.rows, self._stream)
        runs: tuple[Replay, Replay] = (lambda: self._enqueue(number), replay)
        found = []
        for run in runs:
            logits = runtime.pinned(self._logits.shape, np.uint8)  # zeros
            runtime.upload(logits, self._logits, self._stream)
            runtime.upload(place.staged_votes, place.votes, self._stream)
            run()
            runtime.download(self._logits, logits, self._stream)
            votes = runtime.pinned(place.votes.shape, np.int32)
            runtime.download(place.votes, votes, self._stream)
            self._stream.synchronize()
            found.append((logits, votes))
        (logits, votes), (logits_again, votes_again) = found
        return np.array_equal(logits, logits_again) and np.array_equal(votes, votes_again)

    def _enqueue(self, number: int) -> None:
        """Noise, network and votes of a place."""
        self._ring[number].noise(self._stream)
        self._network.enqueue(number)
        self._ring[number].vote(self._stream)

    def place(self, slot: int, image_id: int, image: npt.NDArray[np.uint8]) -> None:
        """See Backend.place; does not wait for the copy."""
        self._staged_images[slot] = image.reshape(-1)
        self._staged_ids[slot] = image_id
        runtime = self._runtime
        with self._working():
            runtime.upload(self._staged_images[slot], self._images[slot], self._stream)
            runtime.upload(self._staged_ids[slot], self._image_ids[slot], self._stream)

    def submit(self, rows: Rows) -> None:
        """See Backend.submit; does not wait."""
        number = self._submitted % self.depth
        place = self._ring[number]
        self._submitted += 1
        place.count = count = len(rows)
        place.staged_rows[:count, 0] = rows.slots.view(np.uint32)
        place.staged_rows[:count, 1] = rows.samples
        place.staged_rows[:count, 2] = rows.purposes
        place.staged_rows[count:, 0] = _PADDING
        with self._working():
            self._runtime.upload(place.staged_rows, place.rows, self._stream)
            if place.replay is not None:
                place.replay()
            else:
                self._enqueue(number)
            self._runtime.download(place.votes, place.staged_votes, self._stream)
            place.done.record(self._stream)

    def collect(self) -> npt.NDArray[np.int32]:
        """See Backend.collect; waits for that batch alone."""
        place = self._ring[self._collected % self.depth]
        self._collected += 1
        with self._working():
            place.done.synchronize()
        return place.staged_votes[: place.count].copy()

    def logits(self, rows: Rows) -> npt.NDArray[np.float32]:
        """See LogitsBackend.logits."""
        self.submit(rows)
        self.collect()
        with self._working():
            found = self._runtime.pinned(self._logits.shape, np.uint8)
            self._runtime.download(self._logits, found, self._stream)
            self._stream.synchronize()
        return _numbers(found, self._network.logits_scalar)[: len(rows)]

    def run_network(self, times: int = 1) -> None:
        """See Backend.run_network; launched as batches are."""
        with self._working():
            self._run_network(times)

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Within it the device is the current one; what it fails with is RunStoppedError."""
        with running(self._name), self._runtime.current():
            yield

    def _run_network(self, times: int) -> None:
        if self._bare is None:
            self._bare = partial(self._network.enqueue, 0)
            if self._ring[0].replay is not None:
                with contextlib.suppress(RuntimeError):  # then launched one by one
                    self._bare = self._capture(self._bare)
        for _ in range(times):
            self._bare()
        self._stream.synchronize()

    def close(self) -> None:
        """See Backend.close: waits for the device, then lets go of graphs, network and buffers, in
        this order, since each may use the next."""
        if self._closed:
            return
        self._closed = True
        with self._runtime.current():
            self._stream.synchronize()
            for place in self._ring:
                place.replay = None
            self._bare = None
            self._network.close()
            for name in ("_network", "_ring", "_noise", "_inputs", "_logits", "_images",
                         "_image_ids", "_staged_images", "_staged_ids"):  # fmt: skip
                delattr(self, name)
            self._runtime.release()

    def describe(self) -> dict[str, Any]:
        """See Backend.describe."""
        return {
            **self._network.describe(),
            **self._runtime.describe(),
            "batch": self.batch_size,
            "noise": self._noise.describe(),
            "launches": self._launches,
            **self._notes,
        }

    def note(self, name: str, value: Any) -> None:
        """See LogitsBackend.note."""
        self._notes[name] = value


def _numbers(memory: npt.NDArray[np.uint8], scalar: str) -> npt.NDArray[np.float32]:
    """Rows of bytes as the numbers of SCALAR_BYTES that they hold."""
    if scalar == "bfloat16":  # the upper half of a float32
        return (memory.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return memory.view(scalar).astype(np.float32)
