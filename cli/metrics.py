"""Metrics of a run for Prometheus, on a port of this process."""

import io
import socket
import threading
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.machine import gpu_memory_used
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.sources.base import FailedImage
from smoothcert.engine.statistics.bounds import ABSTAIN


class Metrics:
    """A Watcher (engine/run/certification.py) that serves its counts while the context lasts.

    Rates are the reader's: rate(smoothcert_samples_total[1m]). GPU memory is that of this machine,
    where NVIDIA's tool tells it.

    Raises InputError where the port cannot be had, or prometheus_client is not installed.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        client = require("prometheus_client", "metrics", "--metrics-port")
        registry = client.CollectorRegistry()

        def counter(name: str, text: str) -> Any:
            return client.Counter(f"smoothcert_{name}", text, registry=registry)

        def gauge(name: str, text: str) -> Any:
            return client.Gauge(f"smoothcert_{name}", text, registry=registry)

        self._images = counter("images", "Images certified by this process")
        self._abstained = counter("abstentions", "Images on which the procedure abstained")
        self._errors = counter("errors", "Images that could not be certified")
        self._samples = counter("samples", "Samples drawn and classified")
        self._lost = counter("workers_lost", "Workers lost (runs on a cluster)")
        self._workers = gauge("workers", "Workers at work (runs on a cluster)")
        self._selected = gauge("images_selected", "Images selected")
        self._resumed = gauge("images_resumed", "Images that were in the log already")
        for number in range(len(gpu_memory_used())):
            memory = gauge(f"gpu{number}_memory_bytes", f"Memory in use on GPU {number}")
            memory.set_function(lambda number=number: _memory(number))
        try:
            self._server = _Server(host, port)
        except (OSError, OverflowError, UnicodeError) as error:
            raise InputError(
                f"metrics port {port} on {host} cannot be had ({error}): expected a free port; "
                "choose another"
            ) from None
        self._server.set_app(_only_metrics(client.make_wsgi_app(registry)))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin(self, images: int, done: int, samples: int) -> None:
        """See Watcher.begin."""
        self._selected.set(images)
        self._resumed.set(done)

    def batch(self, samples: int) -> None:
        """See Watcher.batch."""
        self._samples.inc(samples)

    def image(self, certificate: Certificate, unused: int) -> None:
        """See Watcher.image."""
        self._images.inc()
        if certificate.decision.predict == ABSTAIN:
            self._abstained.inc()

    def failed(self, image: FailedImage, unused: int) -> None:
        """See Watcher.failed."""
        self._errors.inc()

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event."""
        if name == "worker":
            self._workers.inc()
        elif name == "worker lost":
            self._lost.inc()
            if details["was_ready"]:
                self._workers.dec()


_PATHS = ("/", "/metrics")
_MOST_CONNECTIONS = 16
_SECONDS = 10.0


class _Server(ThreadingMixIn, WSGIServer):
    """Answers so many connections at a time, and others once these are done or gone."""

    daemon_threads = True
    block_on_close = False  # a slow client is not waited for

    def __init__(self, host: str, port: int) -> None:
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without the name service, which WSGIServer asks and which may be slow to answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turn away who comes while all are taken."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, in a thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client's errors are its own, and not for a terminal."""


class _Handler(WSGIRequestHandler):
    timeout = _SECONDS

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not logged."""

    def get_stderr(self) -> Any:
        """What WSGI complains of goes nowhere."""
        return io.StringIO()


def _only_metrics(application: Any) -> Any:
    """The application at its paths; any other is not found."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO", "/") in _PATHS:
            return application(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"metrics are at /metrics\n"]

    return answer


def _memory(number: int) -> float:
    """Bytes in use on a GPU; not a number where the tool does not answer."""
    used = gpu_memory_used()
    return float(used[number]) if number < len(used) else float("nan")
