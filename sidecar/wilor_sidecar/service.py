"""The daemon's life in four verbs: start, serve, drain, stop.

This is the I/O thread. It owns every socket, answers what needs no network at once, and is never blocked by the model:
what needs the network goes to the engine's thread, and comes back as a report.
"""

import contextlib
import enum
import logging
import math
import platform
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import zmq

from wilor_protocol.errors import ErrorCode
from wilor_protocol.version import PROTOCOL_VERSION, __version__
from wilor_sidecar.channels import EventChannel, RequestChannel
from wilor_sidecar.desk import Desk
from wilor_sidecar.engine import Engine
from wilor_sidecar.host_sleep import HostSleep
from wilor_sidecar.idle import STAY_WARM_EVERY_NS, Idle
from wilor_sidecar.process_memory import MemoryGuard, footprint_bytes
from wilor_sidecar.publisher import Publisher
from wilor_sidecar.pulse import Pulse
from wilor_sidecar.run_directory import RunDirectory
from wilor_sidecar.runner import Network
from wilor_sidecar.sd_notify import Notifier
from wilor_sidecar.socket_places import SocketPlaces
from wilor_sidecar.starts import GROWN_UP_S, WINDOW_S, StartRecord
from wilor_sidecar.tcp import TcpDoor
from wilor_sidecar.watchdog import Watchdog

log = logging.getLogger(__name__)

_DRAIN_S = 2.0
_GOODBYE_S = 0.1
_ENGINE_STOP_S = 0.5
_LETTERS_AT_ONCE = 64
_READING_S = 0.001
"""For so long letters are read before the engine's reports are looked at again: whoever asks much, however little each
time, makes nobody's pose older than that.
"""
_CHORES_EVERY_S = 1.0
_LOOP_LIMIT_S = 10.0
"""One round of the loop takes milliseconds."""


class Ending(enum.Enum):
    """Why a life is over."""

    STOPPED = enum.auto()
    """Asked to stop."""
    FAULT = enum.auto()
    """The engine, or the daemon itself, has failed for good."""
    TOO_MUCH_MEMORY = enum.auto()
    """More memory is in use than may be."""
    TAKEN_AWAY = enum.auto()
    """The run directory is not there any more, or not the daemon's alone."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How the daemon looks after itself.

    Attributes:
        hang_limit_s: how long a batch may take at the least before it is said to hang.
        keep_warm_s: how long after a request a GPU is kept awake; 0: not at all.
        unload_after_s: how long after a request the network is let go; 0: never.
        memory_limit_bytes: how much memory may be in use; 0: twice what was needed at first, and 1 GiB.
        most_failed_starts: after so many within ten minutes nothing is loaded; 0: however many.
    """

    hang_limit_s: float = 5.0
    keep_warm_s: float = 30.0
    unload_after_s: float = 0.0
    memory_limit_bytes: int = 0
    most_failed_starts: int = 5


class Service:
    """One life of the daemon."""

    def __init__(
        self,
        directory: RunDirectory,
        load: Callable[[], Network],
        *,
        upkeep: Upkeep,
        end_process: Callable[[Ending], object],
    ) -> None:
        """Bind the sockets. Nothing is loaded yet.

        Args:
            directory: taken; it is released by `stop`.
            load: makes the network; called on the engine's thread.
            upkeep: how it looks after itself.
            end_process: ends the process on the spot; called from the watchdog's thread when ours hangs.

        Raises:
            RunDirectoryError: something that is no socket stands in the place of one.
            OSError: a socket cannot be made there.
        """
        self._failure: Ending | None = None
        self._directory = directory
        self._upkeep = upkeep
        self._end_process = end_process
        self._starts = StartRecord(directory.path)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._requests = RequestChannel(self._context)
        self._events = EventChannel(self._context)
        self._places = SocketPlaces(directory)
        self._places.bind(self._requests.socket, directory.requests)
        self._places.bind(self._events.socket, directory.events)
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._engine = Engine(load, wake=self._wake, hang_limit_s=upkeep.hang_limit_s)
        self._pulse = Pulse("I/O thread")
        self._watchdog = Watchdog([self._engine.pulse, self._pulse], warn=self._on_hang, end=self._on_deep_hang)
        self._notifier = Notifier.of_this_process()
        now_ns = time.monotonic_ns()
        self._desk = Desk(
            requests=self._requests,
            publisher=Publisher(self._events, epoch=secrets.token_hex(8)),
            engine=self._engine,
            directory=directory,
            notifier=self._notifier,
            idle=Idle(keep_warm_s=upkeep.keep_warm_s, unload_after_s=upkeep.unload_after_s, now_ns=now_ns),
            sleep=HostSleep(),
        )
        self._memory = MemoryGuard(upkeep.memory_limit_bytes)
        self._hang = ""
        self._should_drain = False
        self._next_chores_s = 0.0
        self._ready_since_s: float | None = None
        self._door: TcpDoor | None = None

    def open_to_tcp(self, door: TcpDoor) -> None:
        """Be reachable over TCP as well; before `run`.

        Raises:
            ConfigError: not there.
            RunDirectoryError, OSError: as at first.
        """
        self._door = door
        door.open(self._context, self._requests.socket, self._events.socket, self._places)

    def run(self) -> Ending:
        """Live: start, serve until told to stop or unable to go on, drain, stop.

        Who was asked to stop has stopped, whatever else happened to it on its way.
        """
        previous = {number: signal.signal(number, self._on_signal) for number in _asking_to_stop()}
        # The handler runs when Python gets its turn; this ends a poll that has already begun to wait.
        previous_fd = signal.set_wakeup_fd(self._ring.fileno(), warn_on_full_buffer=False)
        try:
            self.start()
            self.serve()
            if self._should_drain:
                self.drain()
            self.say_goodbye()
        except Exception as error:
            log.critical("a mistake in the daemon ends it", exc_info=True)
            self._starts.note_failure(f"a mistake in the daemon: {error!r}")
        finally:
            signal.set_wakeup_fd(previous_fd)
            self.stop()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self.ending

    @property
    def ending(self) -> Ending:
        """Why it is over, once it is."""
        return Ending.STOPPED if self._should_drain else self._failure or Ending.FAULT

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
        self._watchdog.start()
        self._starts.begin()
        if 0 < self._upkeep.most_failed_starts <= self._starts.failed:
            why = (
                f"{self._starts.failed} starts failed within {WINDOW_S / 60:.0f} minutes, the last one: "
                f"{self._starts.last_why}; stop it and start it again to try at once"
            )
            self._desk.keeper.load_later(why, WINDOW_S)
        else:
            self._desk.keeper.load()

    def serve(self) -> None:
        """Answer until told to stop, or until there is no going on."""
        poller = self._poller()
        while not self._should_drain and self._failure is None:
            self._serve_once(poller, self._wait_ms())
            if time.monotonic() >= self._next_chores_s or self._is_newly_ready:
                self._do_chores()
            if self._hang:
                self._desk.fail(self._hang)
            if self._desk.life.state == "failed":
                self._failure = self._failure or Ending.FAULT
        self._note_end()

    def drain(self) -> None:
        """Finish the batch that runs, turn away what waits and what still comes; what has failed has done so."""
        if self._desk.life.state == "failed":
            return
        self._desk.life.become("draining", "asked to stop")
        self._desk.turn_away_waiting(ErrorCode.DRAINING, "the daemon is stopping")
        poller = self._poller()
        deadline = time.monotonic() + _DRAIN_S
        while self._desk.has_work_in_hand and time.monotonic() < deadline:
            self._serve_once(poller, timeout_ms=100)
        if self._desk.has_work_in_hand:
            self._desk.fail("the daemon is stopping, and its engine did not finish in time")

    def say_goodbye(self) -> None:
        """Let the last replies be read, and refuse whoever still comes.

        A client with ZMQ_IMMEDIATE drops what it has received and not yet read when the connection ends.
        """
        poller = self._poller()
        deadline = time.monotonic() + _GOODBYE_S
        while (left_s := deadline - time.monotonic()) > 0:
            self._serve_once(poller, math.ceil(left_s * 1e3))

    def stop(self) -> None:
        """End the engine, close the sockets, let the run directory go.

        The engine's thread may be loading, or stuck: then only the end of the process stops it.
        """
        self._pulse.begin("stopping", _LOOP_LIMIT_S)
        is_sound = self._desk.life.state == "draining"
        self._engine.stop(_ENGINE_STOP_S if is_sound else 0)
        if is_sound:
            self._desk.life.become("stopped", "asked to stop")
        self._note_end()
        self._notifier.close()
        self._places.close()
        self._requests.close()
        self._events.close()
        if self._door is not None:
            self._door.forget_keys()
        self._context.term()
        if self._door is not None:
            self._door.close()
        self._bell.close()
        self._ring.close()
        self._directory.release()
        self._watchdog.stop()

    def _note_end(self) -> None:
        """Leave word for the next start; not in a directory that may be another daemon's by now."""
        if not self._directory.is_ours():
            return
        if self._should_drain:
            self._starts.forget()
        elif self._desk.life.state == "failed":
            self._starts.note_failure(self._desk.life.reason)

    def _poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        for readable in (self._requests.socket, self._events.socket, self._bell):
            poller.register(readable, zmq.POLLIN)
        return poller

    def _wait_ms(self) -> int:
        """How long nothing needs doing if nothing comes."""
        now_ns = time.monotonic_ns()
        until_ns = int(self._next_chores_s * 1e9)
        if self._desk.keeper.wants_to_stay_warm(now_ns):
            until_ns = min(until_ns, now_ns + STAY_WARM_EVERY_NS)
        if (expiry_ns := self._desk.next_expiry_ns) is not None:
            until_ns = min(until_ns, expiry_ns)
        return max(0, math.ceil((until_ns - now_ns) / 1e6))

    def _serve_once(self, poller: zmq.Poller, timeout_ms: int) -> None:
        self._pulse.rest()
        ready = dict(poller.poll(timeout_ms))
        self._pulse.begin("answering", _LOOP_LIMIT_S)
        if self._bell.fileno() in ready:
            self._bell.recv(4096)
        self._desk.look_for_sleep()
        self._desk.take_reports()
        if self._events.socket in ready:
            self._desk.take_subscriptions()
        if self._requests.socket in ready:
            self._read_letters()
        self._desk.dispatch()
        if not self._desk.has_work_in_hand:
            self._desk.keeper.look_after_idle(time.monotonic_ns())

    def _read_letters(self) -> None:
        until_s = time.monotonic() + _READING_S
        for letter in self._requests.waiting(_LETTERS_AT_ONCE):
            self._desk.take_letter(letter)
            if time.monotonic() >= until_s:
                return

    @property
    def _is_newly_ready(self) -> bool:
        """Whether what it needs must be measured now, before requests have moved it."""
        return self._desk.life.state == "ready" and not self._memory.limit_bytes

    def _do_chores(self) -> None:
        """What must be looked at now and then, whether anything comes or not."""
        now_s = time.monotonic()
        self._next_chores_s = now_s + _CHORES_EVERY_S
        self._look_at_memory()
        self._look_at_directory()
        if not self._engine.pulse.is_overdue(time.monotonic_ns()):
            self._notifier.alive()
        if self._desk.life.state != "ready":
            self._ready_since_s = None
        elif self._ready_since_s is None:
            self._ready_since_s = now_s
        elif now_s - self._ready_since_s > GROWN_UP_S:
            self._starts.forget()
        self._desk.keeper.load_if_due(time.monotonic_ns())

    def _look_at_memory(self) -> None:
        in_use = footprint_bytes()
        if self._desk.life.state == "ready":
            self._memory.settle(in_use)
        if complaint := self._memory.complaint(in_use):
            self._failure = Ending.TOO_MUCH_MEMORY
            self._desk.fail(complaint)

    def _look_at_directory(self) -> None:
        if complaint := self._places.look_after():
            self._failure = Ending.TAKEN_AWAY
            self._desk.fail(complaint)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is ringing already
            self._ring.send(b"!")

    def _on_hang(self, what: str) -> None:
        """On the watchdog's thread: have the I/O thread tell everybody, if it still can."""
        self._hang = what
        self._wake()

    def _on_deep_hang(self, _: str) -> None:
        """On the watchdog's thread: nobody reacts."""
        self._end_process(self.ending)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        """The first signal drains; the next one ends the process as if we had no handler."""
        self._should_drain = True
        signal.signal(number, signal.SIG_DFL)


def _asking_to_stop() -> Iterator[signal.Signals]:
    """The signals that do. A terminal that is closed asks too, unless who started us wants no notice taken (nohup)."""
    yield signal.SIGTERM
    yield signal.SIGINT
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        yield signal.SIGHUP
