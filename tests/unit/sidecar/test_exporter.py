"""What Prometheus reads is what `status` says."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.request import urlopen

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.contract import golden_messages

from wilor_protocol.replies import StatusReply
from wilor_sidecar.config import ConfigError
from wilor_sidecar.config.host_port import HostPort
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.exporter import Exporter, metrics_of

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Every line of an exposition, read by Prometheus's own parser."""
    return {
        (sample.name.removeprefix("wilor_sidecar_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def exporter(daemon: DaemonProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exporter]:
    """Asks the shared daemon, and has more time for it than a real one, because a test's machine may be busy."""
    monkeypatch.setattr("wilor_sidecar.exporter._ASK_MS", 20_000)
    monkeypatch.setattr("wilor_sidecar.exporter._LONGEST_S", 30.0)
    with Exporter(HostPort.parse("127.0.0.1:0"), daemon.requests_address) as running:
        yield running


def read(exporter: Exporter) -> Samples:
    """One scrape."""
    with urlopen(f"http://{exporter.address}/metrics", timeout=20) as response:
        return samples(response.read().decode())


def test_every_number_of_the_status_is_told() -> None:
    """Counters with their reasons, stages, memory and the rest, in seconds and bytes."""
    status = msgspec.convert(golden_messages.replies()["status_reply"], StatusReply)
    found = {
        (sample.name.removeprefix("wilor_sidecar_"), *sample.labels.values()): sample.value
        for metric in metrics_of(status)
        for sample in metric.samples
    }
    expected = {
        ("ready",): 1,
        ("model_ready",): 1,
        ("state", "ready"): 1,
        ("state", "degraded"): 0,
        ("uptime_seconds",): 61.5,
        ("requests_total", "estimate"): 3,
        ("refused_total", "busy"): 1,
        ("answered_total", "estimate"): 2,
        ("latency_seconds", "model", "0.5"): 0.0255,
        ("latency_seconds", "total", "0.99"): 0.04025,
        ("crops", "waiting"): 2,
        ("crops", "running"): 1,
        ("waiting_crops_limit",): 8,
        ("subscriptions",): 2,
        ("mlx_memory_bytes", "active"): 1.27e9,
        ("mlx_memory_bytes", "peak"): 1.5e9,
        ("resident_memory_bytes",): 1.6e9,
        ("cpu_seconds_total",): 12.5,
        ("threads",): 9,
        ("open_files",): 31,
        ("open_files_limit",): 8192,
    }
    assert {key: found[key] for key in expected} == expected


def test_a_loading_daemon_can_be_read() -> None:
    """Nothing is loaded, timed or counted yet, and nothing falls over that."""
    status = msgspec.convert(golden_messages.replies()["status_reply_loading"], StatusReply)
    assert {m.name for m in metrics_of(status)} >= {"wilor_sidecar_ready", "wilor_sidecar_state"}


def test_prometheus_reads_a_real_daemon(exporter: Exporter) -> None:
    """Over HTTP, in the text that its own parser takes; a second reading counts on."""
    first, second = read(exporter), read(exporter)
    assert first["up", ()] == first["ready", ()] == 1
    assert second["requests_total", (("op", "status"),)] > first["requests_total", (("op", "status"),)]
    assert first["resident_memory_bytes", ()] > 1e7


def test_a_daemon_that_does_not_answer_is_down(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The reading itself succeeds and says so."""
    with Exporter(HostPort.parse("127.0.0.1:0"), "ipc:///tmp/wilor-nobody-here") as exporter:
        assert read(exporter) == {("up", ()): 0}


def test_a_stalled_reader_is_hung_up_on(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says nothing keeps the next one waiting for seconds only; a byte now and then does not help it."""
    monkeypatch.setattr("wilor_sidecar.exporter._LONGEST_S", 1.0)
    with socket.create_connection((str(exporter.address.host), exporter.address.port)) as stalled:
        stalled.sendall(b"GET /")
        stalled.settimeout(0.1)
        for _ in range(200):
            try:
                assert stalled.recv(1) == b""
                break
            except ConnectionError:
                break
            except TimeoutError:
                with contextlib.suppress(ConnectionError):
                    stalled.send(b"x")
        else:
            pytest.fail("twenty seconds, and it may still talk")
        monkeypatch.setattr("wilor_sidecar.exporter._LONGEST_S", 30.0)
        assert read(exporter)["up", ()] == 1


def test_garbage_gets_an_error_and_the_next_is_served(exporter: Exporter) -> None:
    """HTTP that is none does no harm."""
    for garbage in (b"\0" * 1000 + b"\r\n\r\n", b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n", b"A: b\r\n" * 1000):
        where = (str(exporter.address.host), exporter.address.port)
        with socket.create_connection(where) as raw, contextlib.suppress(ConnectionError):
            raw.sendall(garbage)
    assert read(exporter)["up", ()] == 1


def test_a_port_that_is_taken_is_a_wrong_setting() -> None:
    """The error names setting and address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = HostPort.parse(f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ConfigError, match=f"metrics: cannot listen at {where}: Address already in use"):
            Exporter(where, "ipc:///nowhere")
