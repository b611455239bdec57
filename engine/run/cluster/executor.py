"""An Executor on a Ray cluster: this process hands images out and takes results in.

Plain actors, not Ray Data: there, a worker is handed a block, works it off and returns it as a
whole. Here every image must come back when it is decided (the log is appended to at once), images
are decided early or late, a worker mixes the rows of several in one batch and is fed while it
works, what waits at one worker is taken back for another that is idle, and a lost worker must cost
the images in flight and no block. Each actor is polled by one long call; calls complete into one
queue, so that a loop serves thousands of them.
"""

import itertools
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.backends.base import AUTO, runtime_name
from smoothcert.engine.backends.opening import BACKENDS
from smoothcert.engine.backends.tensorrt.plan import is_plan
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError, RunStoppedError, one_line
from smoothcert.engine.base.ranges import THREADS, WORKERS
from smoothcert.engine.run.cluster.connection import Connection
from smoothcert.engine.run.cluster.dispatch import Dispatch
from smoothcert.engine.run.cluster.feed import Assignment
from smoothcert.engine.run.cluster.shipping import ship, shipped_bytes
from smoothcert.engine.run.cluster.worker import Report, Worker, WorkerJob, digest_of
from smoothcert.engine.run.execution import Job, NewMachine, Results
from smoothcert.engine.sources.base import (
    UNREADABLE,
    FailedImage,
    ImageSource,
    LabelledImage,
    PhotographSource,
)
from smoothcert.engine.sources.objects.dataset import DatasetSource
from smoothcert.engine.sources.reading import load

_POLL_SECONDS = 1.0
_POLLS_PER_SECOND = 200
"""Of all workers together, when they have nothing to tell but samples."""
_STAFF_SECONDS = 5.0
_FIRST_WORKER_SECONDS = 300.0
_UNMANNED_SECONDS = 60.0
_PROBES = 3

Event = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class ClusterOptions:
    """Where and on what a run is spread out.

    address  see Connection
    workers  how many; None for one per GPU (or per `threads` cores), as the cluster grows
    threads  cores of each
    decode   who reads images: `workers` (the source is where they can reach it), `driver` (this
             process, which sends pixels), or `auto`: workers read photographs if what they read
             is what this process reads, and arrays are sent
    """

    address: str
    workers: int | None = None
    threads: int = 1
    decode: str = "auto"


def worker_device(device: str) -> str:
    """The device of every worker: Ray gives each a GPU of its own, which it sees as cuda:0.

    Raises InputError for a choice among GPUs, which is Ray's.
    """
    if device in ("cuda", "cuda:all"):
        return "cuda:0"
    if device.startswith("cuda") and device != "cuda:0":
        raise InputError(
            f"device {device!r} is not to be had with --ray, where every worker gets a GPU of its "
            "own, which it sees as cuda:0: expected --device cuda:0, and --workers to limit how "
            "many"
        )
    return device


class _Actor:
    """A worker as the driver sees it."""

    def __init__(self, number: int, handle: Any) -> None:
        self.number = number
        self.handle = handle
        self.ready = False
        self.sent = 0
        self.reads = False
        self.joined = self.last = 0.0
        self.images = 0
        self.busy = 0.0


class RayExecutor:
    """See the module's text, and Executor for the methods.

    on_event  told of workers that come and go

    Raises InputError where there is no such cluster, or it has not what the job needs.
    """

    def __init__(self, options: ClusterOptions, on_event: Event = lambda name, details: None):
        if options.workers is not None:
            WORKERS.check(options.workers)
        THREADS.check(options.threads)
        self._options = options
        self._on_event = on_event
        self._connection: Connection | None = None
        self._actors: dict[int, _Actor] = {}
        self._numbers = itertools.count()
        self._begin()

    # What the cluster is.

    def _begin(self) -> None:
        """What is of one time that it is open; late words of earlier workers reach none of it."""
        self._messages: queue.SimpleQueue[tuple[str, int, Any]] = queue.SimpleQueue()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="smoothcert-decode")
        self._source: list[Any] = []
        self._sessions: list[dict[str, Any]] = []
        self._barren = 0

    def open(self, job: Job) -> dict[str, Any]:
        """See Executor.open; the session is the first worker's."""
        self._begin()
        options, device = self._options, worker_device(job.compute.device)
        workers = options.workers or max(1, usable_cores() // options.threads)
        cpus = max(workers * options.threads, usable_cores())
        models = [job.model] if job.reference is None else [job.model, job.reference]
        for model in models:
            if is_plan(model.path):
                raise InputError(
                    f"{model.path} is a TensorRT plan, which fits one kind of GPU: expected the "
                    "ONNX model or checkpoint with --ray; every node builds its own engine"
                )
        size = sum(shipped_bytes(model) for model in models)
        self._connection = Connection(options.address, cpus, size)
        self._ray = self._connection.ray
        self._gpus = int(device.startswith("cuda"))
        self._job = job.computed(threads=options.threads, device=device)
        self._models = [ship(model, self._ray.put) for model in models]
        if self._gpus and not self._ray.cluster_resources().get("GPU"):
            raise InputError(
                f"device {job.compute.device!r} cannot be used: the Ray cluster has no GPU; "
                "expected nodes with one, or --device cpu"
            )
        resources = self._ray.cluster_resources()
        self._on_event("cluster", {kind: resources.get(kind, 0) for kind in ("CPU", "GPU")})
        self._hire()
        session = self._first_session()
        # What the first worker chose all others take: one log speaks of one classifier.
        runtime = runtime_name(session["backend"])
        if job.compute.backend == AUTO and runtime in BACKENDS:
            self._job = self._job.computed(backend=runtime)
        if job.compute.precision == AUTO and "precision" in session["backend"]:
            self._job = self._job.computed(precision=session["backend"]["precision"])
        return session

    def _wanted(self) -> int:
        """How many workers there should be."""
        if self._options.workers is not None:
            return self._options.workers
        resources = self._ray.cluster_resources()
        if self._gpus:
            return max(1, int(resources.get("GPU", 0)))
        return max(1, int(resources.get("CPU", 0)) // self._options.threads)

    def _hire(self) -> None:
        """One actor more."""
        number = next(self._numbers)
        job = WorkerJob(self._job, self._models, self._source)
        actor_class = self._ray.remote(Worker).options(
            num_cpus=self._options.threads,
            num_gpus=self._gpus,
            # One call polls, one waits for the start, others assign and take back.
            max_concurrency=4,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )
        actor = self._actors[number] = _Actor(number, actor_class.remote(job))
        self._expect("start", number, actor.handle.start.remote())

    def _expect(self, kind: str, number: int, reference: Any) -> None:
        """Have the result of a call, or its error, arrive as a message."""
        messages = self._messages
        reference.future().add_done_callback(lambda future: messages.put((kind, number, future)))

    def _first_session(self) -> dict[str, Any]:
        try:
            kind, number, future = self._messages.get(timeout=_FIRST_WORKER_SECONDS)
            session: dict[str, Any] = future.result()
        except queue.Empty:
            raise RunStoppedError(
                f"no worker started within {_FIRST_WORKER_SECONDS:.0f} s: the cluster has "
                f"{self._free()} free, a worker needs {self._needs()}"
            ) from None
        except Exception as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, InputError | RunStoppedError):
                raise type(cause)(f"on a worker: {cause}") from None
            raise RunStoppedError(f"the first worker was lost ({one_line(error, 300)})") from None
        self._messages.put((kind, number, future))
        self._sessions.append(session)
        return session

    def _needs(self) -> str:
        return f"{self._options.threads} CPU" + (" and 1 GPU" if self._gpus else "")

    def _free(self) -> str:
        free = self._ray.available_resources()
        return f"{free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU"

    # The run.

    def check_source(self, source: ImageSource) -> None:
        """See SendingExecutor.check_source."""
        if isinstance(source, DatasetSource) and self._options.decode == "workers":
            raise InputError(
                "--decode workers reads files, and the images are an object of this process: "
                "expected --decode driver, which sends pixels; leave it out"
            )

    def results(
        self, source: ImageSource, indices: Sequence[int], on_batch: Callable[[int], None]
    ) -> Results:
        """See Executor.results."""
        self._images = source
        self._dispatch = Dispatch(indices)
        self._pixels: set[int] = set()
        self._probe(indices)
        staffed = 0.0
        manned = time.monotonic()
        while not self._dispatch.finished:
            if any(actor.ready for actor in self._actors.values()):
                manned = time.monotonic()
            elif time.monotonic() - manned > _UNMANNED_SECONDS:
                manned = time.monotonic()
                self._on_event("no worker", {"free": self._free(), "needed": self._needs()})
            if time.monotonic() - staffed > _STAFF_SECONDS:
                staffed = time.monotonic()
                for _ in range(min(self._wanted(), len(indices)) - len(self._actors)):
                    self._hire()
            try:
                message = self._messages.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            yield from self._handle(*message, on_batch)
        self._on_event("finished", {"workers": self._shares()})

    def _shares(self) -> list[dict[str, float]]:
        """What each worker that is left did; seconds since the run's first worker joined."""
        actors = [actor for actor in self._actors.values() if actor.ready]
        start = min((actor.joined for actor in actors), default=0.0)
        return [
            {
                "worker": actor.number,
                "images": actor.images,
                "joined": round(actor.joined - start, 3),
                "last": round(max(actor.last, actor.joined) - start, 3),
                "busy": round(actor.busy, 3),
            }
            for actor in actors
        ]

    def _probe(self, indices: Sequence[int]) -> None:
        """Decide who reads the images; make the source available to workers that shall."""
        decode, images = self._options.decode, self._images
        files = isinstance(images, PhotographSource) and not isinstance(images, DatasetSource)
        if decode == "auto" and not files:
            decode = "driver"
        self._probes: dict[int, str] = {}
        if decode == "driver" or not indices:
            return
        # The first, the last, and what lies between, until enough of them can be read here.
        for index in dict.fromkeys((indices[0], indices[-1], *indices[: 8 * _PROBES])):
            digest = digest_of(lambda i: load(self._images, i), index)
            if digest is not None:
                self._probes[index] = digest
            if len(self._probes) == _PROBES:
                break
        self._source.append(self._ray.put(self._images))

    def _handle(
        self, kind: str, number: int, future: Any, on_batch: Callable[[int], None]
    ) -> Results:
        actor = self._actors.get(number)
        if actor is None:  # a late word of a worker that was given up
            return
        if kind == "read":
            yield from self._send_pixels(actor, future)
            return
        try:
            result = future.result()
        except Exception as error:  # whatever befell it, the worker is replaced
            yield from self._lose(actor, error)
            return
        if kind == "start":
            yield from self._started(actor, result)
        elif kind == "probe":
            self._join(actor, dict(zip(self._probes, result, strict=True)) == self._probes)
        elif kind == "poll":
            on_batch(result.samples)
            yield from self._reported(actor, result)
        elif kind == "back":
            self._dispatch.returned(number, result)
            self._serve_idle()

    def _started(self, actor: _Actor, session: dict[str, Any]) -> Results:
        first = self._sessions[0]
        for ours, theirs in (
            (first["smoothcert"], session["smoothcert"]),
            (runtime_name(first["backend"]), runtime_name(session["backend"])),
        ):
            if ours != theirs:
                raise RunStoppedError(
                    f"a worker runs {theirs} where the first runs {ours}: expected the same "
                    "installation on every node"
                )
        if session not in self._sessions:
            self._sessions.append(session)
            yield NewMachine(session)
        if self._probes:
            digests = actor.handle.read_digests.remote(list(self._probes))
            self._expect("probe", actor.number, digests)
        else:
            self._join(actor, False)

    def _join(self, actor: _Actor, reads: bool) -> None:
        if self._options.decode == "workers" and not reads:
            raise InputError(
                "a worker does not read the images that this process reads: expected the source "
                "at the same path on every node; take --decode driver"
            )
        actor.ready, actor.reads, actor.joined = True, reads, time.monotonic()
        self._dispatch.join(actor.number)
        self._on_event("worker", {"worker": actor.number, "reads_images": reads})
        self._give(actor, 0, False)
        self._poll(actor)

    def _poll(self, actor: _Actor) -> None:
        low = self._dispatch.low(actor.number)
        seconds = max(_POLL_SECONDS, len(self._actors) / _POLLS_PER_SECOND)
        poll = actor.handle.poll.remote(actor.sent, low, seconds)
        self._expect("poll", actor.number, poll)

    def _reported(self, actor: _Actor, report: Report) -> Results:
        actor.busy += report.busy
        for certificate in report.certificates:
            if self._dispatch.done(actor.number, certificate.index):
                self._barren = 0
                actor.images += 1
                actor.last = time.monotonic()
                yield certificate
        for failed in report.failed:
            # Perhaps only this node cannot read it.
            self._read_here(actor, failed.index)
        self._give(actor, report.waiting + actor.sent - report.accepted, report.starved)
        self._serve_idle()
        self._poll(actor)

    def _give(self, actor: _Actor, waiting: int, starved: bool) -> None:
        """Send a worker what it should have."""
        given = self._dispatch.next_for(actor.number, waiting, starved)
        if not given:
            return
        actor.sent += len(given)
        if actor.reads:
            actor.handle.assign.remote([Assignment(index) for index in given])
        else:
            for index in given:
                self._read_here(actor, index, counted=True)

    def _read_here(self, actor: _Actor, index: int, counted: bool = False) -> None:
        """Read an image in this process and then send it."""
        if not counted:
            actor.sent += 1
        messages = self._messages
        self._reader.submit(load, self._images, index).add_done_callback(
            lambda future: messages.put(("read", actor.number, (index, future)))
        )

    def _send_pixels(self, actor: _Actor, read: tuple[int, Any]) -> Results:
        index, future = read
        try:
            image: LabelledImage = future.result()
        except UNREADABLE as error:
            actor.sent -= 1
            if self._dispatch.done(actor.number, index):
                yield FailedImage(index, one_line(error, None))
            self._give(actor, 0, False)
            return
        actor.handle.assign.remote([Assignment(index, image.label, image.pixels)])

    def _serve_idle(self) -> None:
        """Near the end: give idle workers what waits at others."""
        if self._dispatch.unassigned:
            for actor in self._actors.values():
                if actor.ready and not self._dispatch.holds(actor.number):
                    self._give(actor, 0, False)
        elif relief := self._dispatch.to_relieve():
            worker, count = relief
            assert isinstance(worker, int)
            back = self._actors[worker].handle.take_back.remote(count)
            self._expect("back", worker, back)

    # What goes wrong.

    def _lose(self, actor: _Actor, error: Exception) -> Results:
        """A worker is lost: its images go to others."""
        del self._actors[actor.number]
        self._ray.kill(actor.handle)
        held, guilty = self._dispatch.leave(actor.number) if actor.ready else (0, [])
        reason = one_line(error, 300)
        details = {
            "worker": actor.number,
            "was_ready": actor.ready,
            "images_returned": held - len(guilty),
            "reason": reason,
        }
        self._on_event("worker lost", details)
        for index in guilty:
            yield FailedImage(index, f"image {index}: workers were lost with it ({reason})")
        self._barren += 1
        if self._barren > 5 + 2 * self._wanted():
            raise RunStoppedError(
                f"{self._barren} workers were lost without an image done (the last: {reason}); "
                "the same command resumes"
            )
        self._hire()
        self._serve_idle()

    def close(self) -> None:
        """See Executor.close."""
        connection, self._connection = self._connection, None
        self._reader.shutdown(wait=False, cancel_futures=True)
        if connection is None:
            return
        for actor in self._actors.values():
            self._ray.kill(actor.handle)
        self._actors.clear()
        connection.close()
