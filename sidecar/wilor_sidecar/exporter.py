"""The daemon's figures as Prometheus reads them, over HTTP on the loopback.

It asks the daemon's own `status`, as any client does: so it says the same, shares nothing with the threads that work,
and says that the daemon is down when it does not answer.
"""

import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self, get_args
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from wilor_client import HandClient, HandClientError
from wilor_protocol.replies import Percentiles, State, StatusReply
from wilor_sidecar.config import ConfigError
from wilor_sidecar.config.host_port import HostPort

log = logging.getLogger(__name__)

_ASK_MS = 1000
_LONGEST_S = 3.0
_PREFIX = "wilor_sidecar"
_LABELLED = {"requests": "op", "answered": "op", "refused": "code"}
"""Counters named `requests_OP`, `answered_OP` and `refused_CODE` become one metric each, with a label."""


class Exporter:
    """An HTTP server on a thread of its own, from `with` to the end of its block.

    It serves one reader at a time, and none for longer than some seconds.

    Attributes:
        address: where it listens; the port is a real one.
    """

    def __init__(self, where: HostPort, requests_address: str) -> None:
        """Bind.

        Args:
            where: on the loopback.
            requests_address: of the daemon to ask.

        Raises:
            ConfigError: the address is not this machine's, or is taken.
        """
        registry = CollectorRegistry()
        registry.register(StatusCollector(requests_address))
        kind = _Server6 if where.family is socket.AF_INET6 else _Server
        try:
            self._server = make_server(str(where.host), where.port, make_wsgi_app(registry), kind, _Handler)
        except OSError as error:
            raise ConfigError(f"metrics: cannot listen at {where}: {error.strerror}") from error
        self.address = HostPort(where.host, self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        log.info("metrics at http://%s/metrics", self.address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer no more, and let the port go."""
        self._server.hang_up()
        self._server.shutdown()
        self._server.server_close()


class _Server(WSGIServer):
    _reader: socket.socket | None = None

    def server_bind(self) -> None:
        """As the base does, but without asking a name server for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a reader, who may not keep the next one out: too slow a one is hung up on."""
        self._reader = request
        timer = threading.Timer(_LONGEST_S, self.hang_up)
        timer.daemon = True
        timer.start()
        try:
            super().process_request(request, client_address)
        finally:
            timer.cancel()
            self._reader = None

    def hang_up(self) -> None:
        """End the connection to the reader who is being answered, if there is one."""
        if (reader := self._reader) is not None:
            with suppress(OSError):  # gone by itself
                reader.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: Any) -> None:
        """A reader that goes away in the middle is nobody's fault."""
        log.debug("a reader of the metrics went away", exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's name
        """Nothing: a line for each reading would be noise."""


class StatusCollector(Collector):
    """Makes metrics of a status reply."""

    def __init__(self, requests_address: str) -> None:
        self._address = requests_address

    def describe(self) -> list[Metric]:
        """Nothing: what there is shows when it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask now."""
        try:
            with HandClient(self._address, timeout_ms=_ASK_MS) as client:
                status = client.status()
        except HandClientError:
            yield _gauge("up", "Whether the daemon answers.", 0)
            return
        yield _gauge("up", "Whether the daemon answers.", 1)
        yield from metrics_of(status)


def metrics_of(status: StatusReply) -> Iterator[Metric]:
    """Everything in a status reply that has a number."""
    yield InfoMetricFamily(_PREFIX, "What serves.", value=_info(status))
    yield _gauge("ready", "Whether an estimate would be computed now.", status.ready)
    yield _labelled("state", "1 for the daemon's state.", "state", {s: s == status.state for s in get_args(State)})
    yield _gauge("model_ready", "Whether the network is in memory, and warmed up.", status.model_ready)
    yield _gauge("uptime_seconds", "Since the process started.", status.uptime_s)
    yield from _counters(status.counters)
    yield _latencies(status.latency_ms)
    queue = status.queue
    crops = {"waiting": queue.waiting_crops, "running": queue.running_crops}
    yield _labelled("crops", "Crops that are here now.", "where", crops)
    yield _gauge("waiting_crops_limit", "The most crops that may wait.", queue.waiting_limit)
    yield _gauge("subscriptions", "Topics that somebody listens to.", len(status.subscriptions))
    if status.memory:
        memory = {"active": status.memory.active, "cache": status.memory.cache, "peak": status.memory.peak}
        yield _labelled("mlx_memory_bytes", "What MLX uses, keeps for reuse, and has used at most.", "kind", memory)
    process = status.process
    yield _gauge("resident_memory_bytes", "Of the process.", process.resident)
    yield _counter("cpu_seconds", "Time that the process has computed.", process.cpu_s)
    yield _gauge("threads", "Of the process.", process.threads)
    yield _gauge("open_files", "Descriptors of the process.", process.open_files)
    yield _gauge("open_files_limit", "The most descriptors that it may have.", process.open_files_limit)


def _info(status: StatusReply) -> dict[str, str]:
    info = {"server": status.server, "epoch": status.epoch}
    if status.model:
        info |= {"model": status.model.name, "dtype": status.model.dtype, "trained": str(status.model.trained).lower()}
    if status.device:
        info |= {"device": status.device.name, "blas": status.device.blas, "mlx": status.device.mlx}
    return info


def _counters(counters: dict[str, int]) -> Iterator[Metric]:
    for group, label in _LABELLED.items():
        found = {name.removeprefix(f"{group}_"): n for name, n in counters.items() if name.startswith(f"{group}_")}
        family = CounterMetricFamily(f"{_PREFIX}_{group}", f"Counted since the start, by {label}.", labels=[label])
        for value, count in sorted(found.items()):
            family.add_metric([value], count)
        yield family
    for name, count in sorted(counters.items()):
        if name.partition("_")[0] not in _LABELLED:
            yield _counter(name, "Counted since the start.", count)


def _latencies(latency_ms: dict[str, Percentiles]) -> Metric:
    family = GaugeMetricFamily(
        f"{_PREFIX}_latency_seconds", "Of the last estimates, by stage.", labels=["stage", "quantile"]
    )
    for stage, times in sorted(latency_ms.items()):
        for quantile, value_ms in (("0.5", times.p50), ("0.95", times.p95), ("0.99", times.p99)):
            family.add_metric([stage, quantile], value_ms / 1000)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{_PREFIX}_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], float(number))
    return family
