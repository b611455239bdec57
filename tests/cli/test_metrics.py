"""The metrics server: its paths, and how many it answers at a time."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from smoothcert.cli.metrics import _MOST_CONNECTIONS, Metrics
from smoothcert.engine.base.errors import InputError


@pytest.fixture
def port() -> Iterator[int]:
    pytest.importorskip("prometheus_client")
    with Metrics(0) as metrics:
        metrics.batch(7)
        yield int(metrics._server.server_address[1])


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("path", ["/", "/metrics", "/metrics?x=1"])
def test_metrics_are_at_their_paths(port: int, path: str) -> None:
    assert "smoothcert_samples_total 7.0" in _get(port, path)


@pytest.mark.parametrize("path", ["/x", "/metrics/", "/../etc/passwd", "/%2e%2e", "/metrics/x"])
def test_any_other_path_is_not_found(port: int, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _get(port, path)


def test_connections_have_a_bound_and_are_given_back(port: int) -> None:
    """Silent clients take the places; who comes then is turned away, and served when they go."""
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(_MOST_CONNECTIONS)]
    late = socket.create_connection(("127.0.0.1", port))
    late.settimeout(20)
    assert late.recv(1) == b""
    for client in (*silent, late):
        client.close()
    for _ in range(200):
        try:
            assert "smoothcert_samples_total" in _get(port, "/metrics")
            return
        except OSError:  # not all of them are noticed yet
            continue
    pytest.fail("no place was given back")


def test_a_port_that_cannot_be_had_is_one_line(port: int) -> None:
    with pytest.raises(InputError, match=f"metrics port {port} on 127.0.0.1 cannot be had"):
        Metrics(port)
    with pytest.raises(InputError, match="cannot be had"):
        Metrics(0, "no\x1bhost")
