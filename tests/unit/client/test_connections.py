"""Connections that are used as none can be: from two threads, after their end, to nowhere, to a daemon that dies."""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from tests.unit.sidecar.fakes import wait_for

from wilor_client import (
    BadAddressError,
    BadReplyError,
    ClosedError,
    HandClient,
    HandClientError,
    HandEvents,
    InUseError,
    NoReplyError,
    SocketError,
    StateEvents,
)
from wilor_protocol.address import MAX_SOCKET_PATH_BYTES, events_address, requests_address
from wilor_protocol.codec import decode_request, encode, subscription
from wilor_protocol.events import STATE_TOPIC, joints_topic
from wilor_protocol.replies import Clocks, PongReply

LONG_MS = 20_000
SOON_MS = 60
CROP = np.zeros((256, 256, 3), np.uint8)
NOBODY = "ipc:///tmp/nobody"


@pytest.fixture
def waiting() -> Iterator[Callable[[Callable[[], object]], threading.Thread]]:
    """Starts threads that wait for something that comes late; all must have ended with the test."""
    threads = []

    def start(wait: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=wait)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join(LONG_MS / 1000)
        assert not thread.is_alive()


def test_a_client_that_another_thread_uses_is_refused(
    waiting: Callable[[Callable[[], object]], threading.Thread], short_dir: Path
) -> None:
    """Calling and closing; afterwards this thread may have it, because it may be handed over."""
    client = HandClient(run_dir=short_dir, timeout_ms=LONG_MS)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as daemon:
        daemon.bind(client.address)
        thread = waiting(client.ping)
        assert daemon.poll(LONG_MS), "the other thread waits for its answer"
        *route, body = daemon.recv_multipart()
        for use in (client.status, client.close):
            with pytest.raises(InUseError, match="another thread"):
                use()
        clocks = Clocks(monotonic_ns=1, wall_ns=2)
        daemon.send_multipart([*route, encode(PongReply(id=decode_request(body).id, clocks=clocks, deep=False))])
        thread.join()
        with pytest.raises(NoReplyError):
            client.ping(timeout_ms=0)
    client.close()


def test_a_listener_that_another_thread_uses_is_refused(
    waiting: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    """The same."""
    events = HandEvents("cam", NOBODY)
    thread = waiting(lambda: events.next(2000))
    wait_for(events._in_use.locked, "the other thread waits for an event")
    with pytest.raises(InUseError, match="another thread"):
        events.next(0)
    with pytest.raises(InUseError, match="another thread"):
        events.close()
    thread.join()
    events.close()


def test_eight_threads_at_one_client_end_neither_it_nor_the_process() -> None:
    """Each is answered as one that waits for a daemon, or told that another holds the client."""
    outcomes: list[type[Exception]] = []

    def ask_often() -> None:
        for _ in range(50):
            try:
                client.estimate(CROP, "right", timeout_ms=1)
            except HandClientError as error:
                outcomes.append(type(error))

    with HandClient(NOBODY) as client:
        threads = [threading.Thread(target=ask_often) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(outcomes) == 400
    assert set(outcomes) == {NoReplyError, InUseError}


def test_after_its_end_a_connection_says_so() -> None:
    """Whatever is asked of it; it can be closed again."""
    client, events, states = HandClient(NOBODY), HandEvents("cam", NOBODY), StateEvents(NOBODY)
    for connection in (client, events, states):
        connection.close()
    for use in (client.ping, lambda: client.estimate(CROP, "right"), events.next, states.next):
        with pytest.raises(ClosedError, match="closed"):
            use()
    for connection in (client, events, states):
        connection.close()


TOO_LONG = "ipc:///tmp/" + "x" * max(MAX_SOCKET_PATH_BYTES.values())


@pytest.mark.parametrize(
    "address",
    ["", "/run/wilor", "ipc://", "tcp://nohost", "tcp://:7447", "tcp://host:port", "tcp://host:0", "tcp://host:65536",
     "inproc://x", "http://host:80", TOO_LONG],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """The error is the package's own and a ValueError, and says what came."""
    for make in (HandClient, lambda address: HandEvents("cam", address), StateEvents):
        with pytest.raises(BadAddressError, match=r"^address: expected") as caught:
            make(address)
        assert isinstance(caught.value, ValueError)
        assert repr(address) in str(caught.value)


def test_a_run_directory_leads_to_its_sockets(short_dir: Path) -> None:
    """As `serve --run-dir` was told; not beside an address, nor where a socket's path would be too long."""
    with (
        HandClient(run_dir=short_dir) as client,
        HandEvents("cam", run_dir=str(short_dir)) as events,
        StateEvents(run_dir=short_dir) as states,
    ):
        assert client.address == requests_address(short_dir)
        assert events.address == states.address == events_address(short_dir)
    with pytest.raises(BadAddressError, match="run_dir"):
        HandClient(NOBODY, run_dir=short_dir)
    with pytest.raises(BadAddressError, match="bytes shorter"):
        HandClient(run_dir=short_dir / ("x" * 100))


def test_a_socket_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error of the package; the context that was made for it is gone."""
    contexts = []

    class Poor(zmq.Context[zmq.Socket[bytes]]):
        def socket(self, *_: object, **__: object) -> zmq.Socket[bytes]:
            contexts.append(self)
            raise zmq.ZMQError(errno.EMFILE)

    monkeypatch.setattr(zmq, "Context", Poor)
    with pytest.raises(SocketError, match="Too many open files"):
        HandClient(NOBODY)
    assert [context.closed for context in contexts] == [True]


def test_a_daemon_that_dies_before_the_request_is_sent_is_no_reply(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the client looked; the client waits for another one as long as it may."""
    with zmq.Context() as context, HandClient(run_dir=short_dir) as client:
        daemon = context.socket(zmq.ROUTER)
        daemon.bind(client.address)
        real = zmq.Socket.poll
        assert real(client._socket, LONG_MS, zmq.POLLOUT), "the client has found it"

        def dying(socket: zmq.Socket[bytes], timeout: int | None = None, flags: int = zmq.POLLIN) -> int:
            is_ready = real(socket, timeout, flags)
            if flags == zmq.POLLOUT and not daemon.closed:
                assert is_ready
                daemon.close(linger=0)
                while real(socket, 0, zmq.POLLOUT):
                    time.sleep(0.001)
            return is_ready

        monkeypatch.setattr(zmq.Socket, "poll", dying)
        with pytest.raises(NoReplyError, match="no daemon") as caught:
            client.ping(timeout_ms=500)
        assert caught.value.retryable


def test_nonsense_is_no_event_and_the_listener_goes_on(short_dir: Path) -> None:
    """Hands and states: BadReplyError, and again for the next nonsense."""
    with (
        zmq.Context() as context,
        context.socket(zmq.XPUB) as daemon,
        HandEvents("cam", run_dir=short_dir, mesh=False, only_newest=False) as events,
        StateEvents(run_dir=short_dir) as states,
    ):
        daemon.linger = 0
        daemon.bind(events.address)
        for _ in range(2):
            assert daemon.poll(LONG_MS)
            daemon.recv()
        for _ in range(2):
            for topic, listener in ((joints_topic("cam"), events), (STATE_TOPIC, states)):
                daemon.send(subscription(topic) + b"\x82\xa3seq")
                with pytest.raises(BadReplyError, match="not a"):
                    listener.next(LONG_MS)
                assert listener.next(0) is None
