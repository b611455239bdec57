"""Several devices of one machine: a process for each, all certifying from one queue of images.

The parent hands out image indices as workers ask for them and is the only one to write the log, so
the finished log is that of a single process. A worker that ends before its time ends the run, which
the same command resumes.
"""

import contextlib
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Literal, NoReturn

from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.base.cores import cores_for, usable_cores
from smoothcert.engine.base.errors import InputError, RunStoppedError, one_line
from smoothcert.engine.run.execution import (
    Executor,
    Job,
    LocalExecutor,
    NewMachine,
    Results,
    describe_session,
)
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.objects.dataset import DatasetSource
from smoothcert.engine.sources.reading import decoded_ahead

_AHEAD = 2
"""Images that a worker decodes ahead: more would leave other workers idle at the end of a run."""

_Message = tuple[Literal["ready", "want", "drew", "result", "input", "broken", "done"], Any]


def devices_of(device: str) -> list[str]:
    """The devices that `--device` names: one, a list (cuda:0,cuda:1), or cuda:all.

    Raises InputError for cuda:all without a GPU, and for one that is named twice.
    """
    if device == "cuda:all":
        found = [f"cuda:{gpu.index}" for gpu in gpus()]
        if not found:
            raise InputError(
                "device cuda:all finds no NVIDIA GPU and driver on this machine: expected at least "
                "one; see `smoothcert doctor`"
            )
        return found
    named = device.split(",")
    if len(set(named)) < len(named):
        raise InputError(f"device {device!r} names one twice: expected each GPU once")
    return named


def executor_for(device: str) -> Executor:
    """This process for one device, a process for each of several or of cuda:all."""
    devices = devices_of(device)
    return LocalExecutor() if devices == [device] else ProcessExecutor(devices)


class ProcessExecutor:
    """An Executor (execution.py) with one process per entry of `devices`.

    The same device may be named several times. Raises RunStoppedError where a worker ends before
    its work does, and InputError where one refuses what it is given.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        self._devices = list(devices)
        self._workers: list[_Worker] = []
        self._sessions: list[dict[str, Any]] = []

    def open(self, job: Job) -> dict[str, Any]:
        """See Executor.open. The first worker opens its backend alone: what it measures or builds,
        the others find in the cache."""
        threads = (
            max(1, usable_cores() // len(self._devices))
            if job.compute.threads is None
            else cores_for(job.compute.threads)
        )
        try:
            for batch in (self._devices[:1], self._devices[1:]):
                started = [
                    _Worker(job.computed(device=device, threads=threads)) for device in batch
                ]
                self._workers += started
                self._sessions += [worker.session() for worker in started]
            self._check_runtimes()
        except BaseException:
            self.close()
            raise
        return {**self._sessions[0], "workers": self._devices}

    def _check_runtimes(self) -> None:
        backends = [session["backend"] for session in self._sessions]
        runtimes = sorted({f"{b['runtime']} {b.get('precision', '')}".rstrip() for b in backends})
        if len(runtimes) > 1:
            raise InputError(
                f"the workers would run different backends ({', '.join(runtimes)}): expected one, "
                "so that one log speaks of one classifier; give --backend"
            )

    def check_source(self, source: ImageSource) -> None:
        """See SendingExecutor.check_source."""
        if isinstance(source, DatasetSource):
            source.check_travels()

    def results(
        self, source: ImageSource, indices: Sequence[int], on_batch: Callable[[int], None]
    ) -> Results:
        """See Executor.results."""
        seen = self._sessions[:1]
        for session in self._sessions[1:]:
            if session not in seen:
                seen.append(session)
                yield NewMachine(session)
        waiting = iter(indices)
        for worker in self._workers:
            worker.send(source)
        working = list(self._workers)
        while working:
            for worker in _those_with_messages(working):
                kind, content = worker.receive()
                if kind == "want":
                    worker.send(next(waiting, None))
                elif kind == "drew":
                    on_batch(content)
                elif kind == "done":
                    working.remove(worker)
                else:
                    yield content

    def close(self) -> None:
        """See Executor.close."""
        for worker in self._workers:
            worker.end()
        self._workers, self._sessions = [], []


class _Worker:
    """The parent's side of a worker."""

    def __init__(self, job: Job) -> None:
        self._device = job.compute.device
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.connection, other = context.Pipe()
        self._process = context.Process(
            target=_work, args=(other, job), name=f"smoothcert {self._device}", daemon=True
        )
        self._process.start()
        other.close()  # so that the end of the process is the end of the pipe

    def session(self) -> dict[str, Any]:
        """What the worker runs on, once it is ready."""
        content: dict[str, Any] = self.receive()[1]
        return content

    def send(self, content: object) -> None:
        """Answer the worker; one that is gone is noticed when it is listened to."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(content)

    def receive(self) -> _Message:
        """The next message; raises what went wrong at the worker."""
        try:
            message: _Message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._raise_end()
        if message[0] == "input":
            raise InputError(message[1])
        if message[0] == "broken":
            raise RunStoppedError(f"the worker on {self._device} failed: {message[1]}")
        return message

    def _raise_end(self) -> NoReturn:
        self._process.join(5)
        code = self._process.exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else "ended"
        raise RunStoppedError(
            f"the worker on {self._device} {how} before its work was done; the same command resumes"
        )

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.connection.close()
        self._process.join(0.2)  # it ends by itself when it listens
        self._process.terminate()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _those_with_messages(workers: Sequence[_Worker]) -> list[_Worker]:
    ready = wait([worker.connection for worker in workers])
    return [worker for worker in workers if worker.connection in ready]


def _work(connection: Connection, job: Job) -> None:
    """The worker's process: open the backend, then certify what the parent hands out."""
    # Ctrl-C reaches the whole group: the parent ends the run, and with it this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        backend = job.open_backend()
        connection.send(("ready", describe_session(backend)))
        source: ImageSource = connection.recv()
        images = decoded_ahead(
            source,
            _handed_out(connection),
            _AHEAD,
            lambda image: connection.send(("result", image)),
        )
        scheduler = Scheduler(backend, job.procedure, lambda n: connection.send(("drew", n)))
        for certificate in scheduler.run(images):
            connection.send(("result", certificate))
        connection.send(("done", None))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except InputError as error:
        connection.send(("input", str(error)))
    except RunStoppedError as error:
        connection.send(("broken", str(error)))
    except Exception as error:  # the parent must hear of it, whatever it is
        traceback.print_exc()
        connection.send(("broken", one_line(error, None)))


def _handed_out(connection: Connection) -> Generator[int, None, None]:
    """The indices of the images that the parent leaves to this worker, one at a time."""
    while True:
        connection.send(("want", None))
        index = connection.recv()
        if index is None:
            return
        yield index
