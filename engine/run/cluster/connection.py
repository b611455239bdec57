"""Joining a Ray cluster, or starting a private one on this machine."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from smoothcert.engine.base.errors import InputError, RunStoppedError, one_line, require

_STORE_BYTES = 200 * 2**20
_SCRATCH = "smoothcert-ray-"

# Ray knows two ways to pick a node's address: the loopback interface alone, which it uses where it
# expects a single machine, and else whatever interface reaches the network. This picks the first.
_LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def load_ray() -> Any:
    """The ray module; raises MissingPartError where it is not installed."""
    # Ray's own reports of use stay off, and so does its meddling with the devices of a worker
    # that asks for no GPU.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    return require("ray", "ray", "a run on a cluster")


class Connection:
    """A connection to a Ray cluster; a context manager that ends it.

    address  `local`: a cluster of this machine, made for this run and gone with it, which listens
             on the loopback interface alone, without a dashboard, behind a token. `auto`: the
             cluster that this machine belongs to. Else HOST:PORT of a cluster's head node.
    cpus     of a local cluster
    payload  bytes that a local cluster's object store must hold beside what is in flight

    Raises InputError where there is no such cluster.
    """

    def __init__(self, address: str, cpus: int, payload: int) -> None:
        if "://" in address:
            raise InputError(
                f"ray address {address!r} is a client's: expected local, auto or HOST:PORT; run "
                "this command on a machine of the cluster"
            )
        self._scratch: Path | None = None
        if address == "local":
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.update(_LOOPBACK_ONLY)
        self.ray = load_ray()
        self._say_nothing(True)
        with _own_sigterm():
            if address == "local":
                self._start_local(cpus, payload)
            else:
                self._join(address)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self.ray.shutdown()
        self._say_nothing(False)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _say_nothing(self, silent: bool) -> None:
        # Ray prints on stdout that a worker died, though it is asked for no logs; this is the
        # switch that it uses itself. Who runs this hears of it in events.
        self.ray._private.worker._worker_logs_enabled = not silent

    def _start_local(self, cpus: int, payload: int) -> None:
        # Sockets live here, and their paths may have 107 bytes: the system's folder for temporary
        # files, and a short name.
        _sweep()
        self._scratch = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-"))
        try:
            self.ray.init(
                address="local",
                num_cpus=cpus,
                object_store_memory=_STORE_BYTES + payload,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                _temp_dir=str(self._scratch),
            )
        except Exception as error:  # Ray's own exceptions for this share no public base class
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise RunStoppedError(f"Ray could not be started here ({one_line(error)})") from None
        addresses = {node["NodeManagerAddress"] for node in self.ray.nodes()}
        if addresses != {"127.0.0.1"}:
            self.close()
            raise RunStoppedError(
                f"Ray listens on {', '.join(sorted(addresses))}, not on the loopback interface "
                "alone: start it yourself in a network you trust and give --ray its address"
            )

    def _join(self, address: str) -> None:
        try:
            self.ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:
            raise InputError(
                f"no Ray cluster answers at {address!r} ({one_line(error)}): expected one that "
                "runs; start it with `ray start`, or take --ray local"
            ) from None


def _sweep() -> None:
    """Remove what private clusters left behind whose process was killed outright."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*-*"):
        pid = folder.name.removeprefix(_SCRATCH).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's way to end on SIGTERM: Ray puts in its own, which flushes no log."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
