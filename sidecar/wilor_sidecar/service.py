"""The daemon's life in four verbs: start, serve, drain, stop.

This is the I/O thread. It owns every socket, answers what needs no network at once, and is never blocked by the model:
what needs the network goes to the engine's thread, and comes back as a report.
"""

import contextlib
import logging
import platform
import secrets
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

import zmq

from wilor_protocol.errors import ErrorCode
from wilor_protocol.version import PROTOCOL_VERSION, __version__
from wilor_sidecar.channels import EventChannel, RequestChannel
from wilor_sidecar.desk import Desk
from wilor_sidecar.engine import Engine, Network
from wilor_sidecar.publisher import Publisher
from wilor_sidecar.run_directory import RunDirectory
from wilor_sidecar.sd_notify import Notifier

log = logging.getLogger(__name__)

_DRAIN_S = 3.0
_LETTERS_AT_ONCE = 64


class Service:
    """One life of the daemon."""

    def __init__(self, directory: RunDirectory, load: Callable[[], Network]) -> None:
        """Bind the sockets. Nothing is loaded yet.

        Args:
            directory: taken; it is released by `stop`.
            load: makes the network; called on the engine's thread.
        """
        self._directory = directory
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._requests = RequestChannel(self._context, directory.requests_address)
        self._events = EventChannel(self._context, directory.events_address)
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._engine = Engine(load, wake=self._wake)
        self._notifier = Notifier.of_this_process()
        self._desk = Desk(
            requests=self._requests,
            publisher=Publisher(self._events, epoch=secrets.token_hex(8)),
            engine=self._engine,
            directory=directory,
            notifier=self._notifier,
        )
        self._should_drain = False

    def run(self) -> bool:
        """Live: start, serve until told to stop, drain, stop.

        Returns:
            Whether the engine's thread has ended. If not, it is loading or stuck, and only the process's end stops it.
        """
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        # The handler runs when Python gets its turn; this ends a poll that has already begun to wait.
        previous_fd = signal.set_wakeup_fd(self._ring.fileno(), warn_on_full_buffer=False)
        try:
            self.start()
            self.serve()
            self.drain()
        finally:
            signal.set_wakeup_fd(previous_fd)
            for number, handler in previous.items():
                signal.signal(number, handler)
            engine_has_ended = self.stop()
        return engine_has_ended

    def start(self) -> None:
        """Begin to load; from here on clients are answered."""
        log.info(
            "wilor-sidecar %s, protocol %d, Python %s, %s %s; requests %s, events %s",
            __version__,
            PROTOCOL_VERSION,
            platform.python_version(),
            platform.system(),
            platform.machine(),
            self._directory.requests_address,
            self._directory.events_address,
        )
        self._desk.life.become("loading", "reading and checking the weights")
        self._engine.start()

    def serve(self) -> None:
        """Answer until `should_drain`."""
        poller = self._poller()
        while not self._should_drain:
            self._serve_once(poller, timeout_ms=None)

    def drain(self) -> None:
        """Finish the batch that runs, turn away what waits and what still comes."""
        self._desk.life.become("draining", "asked to stop")
        self._desk.turn_away_waiting(ErrorCode.DRAINING, "the daemon is stopping")
        poller = self._poller()
        deadline = time.monotonic() + _DRAIN_S
        while self._desk.is_running and time.monotonic() < deadline:
            self._serve_once(poller, timeout_ms=100)

    def stop(self) -> bool:
        """End the engine, close the sockets, let the run directory go.

        Returns:
            Whether the engine's thread has ended.
        """
        engine_has_ended = self._engine.stop(_DRAIN_S)
        if self._desk.life.state == "draining":
            self._desk.life.become("stopped", "asked to stop")
        self._notifier.close()
        self._requests.close()
        self._events.close()
        self._context.term()
        self._bell.close()
        self._ring.close()
        self._directory.release()
        return engine_has_ended

    def _poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        for readable in (self._requests.socket, self._events.socket, self._bell):
            poller.register(readable, zmq.POLLIN)
        return poller

    def _serve_once(self, poller: zmq.Poller, timeout_ms: int | None) -> None:
        ready = dict(poller.poll(timeout_ms))
        if self._bell.fileno() in ready:
            self._bell.recv(4096)
        self._desk.take_reports()
        if self._events.socket in ready:
            self._desk.take_subscriptions()
        if self._requests.socket in ready:
            for letter in self._requests.waiting(_LETTERS_AT_ONCE):
                self._desk.take_letter(letter)
        self._desk.dispatch()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is ringing already
            self._ring.send(b"!")

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        """The first signal drains; the next one ends the process as if we had no handler."""
        self._should_drain = True
        signal.signal(number, signal.SIG_DFL)
