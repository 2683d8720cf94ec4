"""The daemon's clock over TCP: daemons that come late, start anew, sleep; and how long a call may take for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest
import zmq

from wilor_client import ErrorCode, HandClient, NoReplyError, RefusedError
from wilor_client.clock import ClockSample, DaemonClock
from wilor_protocol.codec import decode_request, encode
from wilor_protocol.errors import Refusal
from wilor_protocol.limits import MAX_AHEAD_NS
from wilor_protocol.replies import Clocks, EstimateReply, PongReply, RefusalReply, Reply, Timing
from wilor_protocol.requests import AnyRequest, EstimateRequest

LONG_MS = 20_000
S = 10**9
CROP = np.zeros((256, 256, 3), np.uint8)


class OtherHost(threading.Thread):
    """A daemon whose host's clock is another one, as honest about it as ours, on a port of the loopback.

    Attributes:
        ahead_ns: how far its clock is ahead of ours.
        epoch: of its answers.
        pings: how often it was asked for its clock.
        takes_s: how long it thinks about each answer.
    """

    def __init__(self, ahead_ns: int, port: int = 0, delay_s: float = 0) -> None:
        super().__init__()
        self.ahead_ns = ahead_ns
        self.epoch = "first"
        self.pings = 0
        self.takes_s = 0.0
        self.should_end = threading.Event()
        self._delay_s = delay_s
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self.port = port or self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._is_bound = port == 0

    def run(self) -> None:
        """Answer until the end."""
        with self._context, self._socket as socket:
            if not self._is_bound:
                time.sleep(self._delay_s)
                socket.bind(f"tcp://127.0.0.1:{self.port}")
            while not self.should_end.is_set():
                if socket.poll(20):
                    *route, body = socket.recv_multipart()
                    time.sleep(self.takes_s)
                    socket.send_multipart([*route, encode(self._answer(decode_request(body)))])

    def _answer(self, request: AnyRequest) -> Reply | RefusalReply:
        now_ns = time.monotonic_ns() + self.ahead_ns
        if not isinstance(request, EstimateRequest):
            self.pings += 1
            return PongReply(id=request.id, clocks=Clocks(monotonic_ns=now_ns, wall_ns=0), deep=False)
        age_ms = (now_ns - request.captured_at_ns) / 1e6
        if request.deadline_ms is not None and age_ms > request.deadline_ms:
            return RefusalReply(id=request.id, error=Refusal(ErrorCode.EXPIRED, f"{age_ms:.0f} ms old").error)
        if age_ms * 1e6 < -MAX_AHEAD_NS:
            return RefusalReply(id=request.id, error=Refusal(ErrorCode.BAD_REQUEST, "captured_at_ns: ahead").error)
        timing = Timing(received_at_ns=now_ns, queue_ms=0, model_ms=age_ms, total_ms=0, batch=1)
        return EstimateReply(id=request.id, seq=1, epoch=self.epoch, hands=[], timing=timing)


@contextmanager
def other_host(ahead_ns: int, port: int = 0, delay_s: float = 0) -> Iterator[OtherHost]:
    """Such a daemon, from the beginning of the block to its end."""
    host = OtherHost(ahead_ns, port, delay_s)
    host.start()
    try:
        yield host
    finally:
        host.should_end.set()
        host.join()


def client_of(port: int) -> HandClient:
    """A client over TCP."""
    return HandClient(f"tcp://127.0.0.1:{port}", source="cam", timeout_ms=LONG_MS)


def age_ms(client: HandClient) -> float:
    """How old the daemon finds a frame that is taken now. (It tells so in `model_ms`.)"""
    return client.estimate(CROP, "right", deadline_ms=60_000).timing.model_ms


def free_port() -> int:
    """A port that nobody has now."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        return socket.bind_to_random_port("tcp://127.0.0.1")


def round_trip_of(client: HandClient) -> int:
    """In which it has read the clock, ns: the most that the clock may be wrong by is half of it."""
    assert client._clock._best
    return client._clock._best.round_trip_ns


@pytest.mark.parametrize("ahead_ns", [0, 1000 * S, -2 * S])
def test_waiting_for_a_daemon_is_no_part_of_its_clock(ahead_ns: int) -> None:
    """It comes half a second after the client asks; the error stays below a round trip's."""
    with client_of(free_port()) as client:
        started = time.monotonic()
        with other_host(ahead_ns, int(client.address.rpartition(":")[2]), delay_s=0.5):
            off_ns = client.clock_ahead_ns() - ahead_ns
            waited_s = time.monotonic() - started
        round_trip_ns = round_trip_of(client)
        print(f"waited {waited_s:.3f} s; off by {off_ns / 1e6:.3f} ms, in a round trip of {round_trip_ns / 1e6:.3f} ms")
        assert waited_s >= 0.5
        assert abs(off_ns) <= round_trip_ns // 2 + 1
        assert round_trip_ns / 1e9 < waited_s / 4


def test_the_frame_that_waits_for_a_daemon_is_as_old_as_it_is() -> None:
    """The first frame of all, given before the daemon was there: its age is counted from the moment it was sent."""
    with client_of(free_port()) as client:
        port = int(client.address.rpartition(":")[2])
        captured_at_ns = time.monotonic_ns()
        with other_host(77 * S, port, delay_s=0.3):
            reply = client.estimate(CROP, "right", captured_at_ns=captured_at_ns, deadline_ms=60_000)
            true_ms = (reply.timing.received_at_ns - 77 * S - captured_at_ns) / 1e6
            assert true_ms >= 300
            assert abs(reply.timing.model_ms - true_ms) < 100


def test_a_clock_that_was_measured_is_not_asked_again() -> None:
    """Not for each frame."""
    with other_host(5 * S) as host, client_of(host.port) as client:
        for _ in range(20):
            assert -50 < age_ms(client) < 1000
        assert host.pings == 4
        before_ns = time.monotonic_ns()
        found_ns = client.now_ns() - host.ahead_ns
        slack_ns = round_trip_of(client)
        assert before_ns - slack_ns <= found_ns <= time.monotonic_ns() + slack_ns
        assert host.pings == 4


@pytest.mark.parametrize("jump_ns", [8 * 3600 * S, -8 * 3600 * S], ids=["this host slept", "the daemon's host slept"])
def test_after_one_of_the_hosts_has_slept_frames_are_as_old_as_they_are(jump_ns: int) -> None:
    """At most one frame is lost to it, whichever host it was."""
    with other_host(10 * 3600 * S) as host, client_of(host.port) as client:
        assert -50 < age_ms(client) < 1000
        host.ahead_ns += jump_ns
        with suppress(RefusedError):
            client.estimate(CROP, "right", deadline_ms=200)
        assert -50 < age_ms(client) < 1000


def test_another_life_of_the_daemon_has_another_clock() -> None:
    """Its host was started anew: after the first answer of the new epoch the clock is asked again."""
    with other_host(10 * S) as host, client_of(host.port) as client:
        age_ms(client)
        age_ms(client)
        host.epoch = "second"
        age_ms(client)
        assert host.pings == 4
        age_ms(client)
        assert host.pings == 8


def test_clock_and_answer_share_one_time() -> None:
    """Each is there in time, and not all of them together."""
    with other_host(0) as host, client_of(host.port) as client:
        host.takes_s = 0.3
        with pytest.raises(NoReplyError):
            client.estimate(CROP, "right", timeout_ms=1000)
        assert host.pings > 1
        host.takes_s = 0.0


def test_a_call_takes_no_longer_than_asked() -> None:
    """The connection shares it too."""
    with HandClient(f"tcp://127.0.0.1:{free_port()}", timeout_ms=LONG_MS) as client:
        for call in (
            lambda: client.estimate(CROP, "right", timeout_ms=100),
            lambda: client.clock_ahead_ns(timeout_ms=100),
            lambda: client.now_ns(timeout_ms=100),
            lambda: client.wait_until_ready(timeout_ms=100),
        ):
            started = time.monotonic()
            with pytest.raises(NoReplyError):
                call()
            assert 0.09 < time.monotonic() - started < 1.5


def sample(ahead_ns: int, after_ns: int, round_trip_ns: int = 1000) -> ClockSample:
    """A reading that came at a moment."""
    return ClockSample(after_ns - round_trip_ns, after_ns - round_trip_ns // 2 + ahead_ns, after_ns)


def test_the_shortest_round_trip_tells_the_clock() -> None:
    """A reading that was under way for long may have been so in one direction only."""
    now_ns = time.monotonic_ns()
    clock = DaemonClock(is_ours=False)
    samples = [sample(900, now_ns, 80_000), sample(500, now_ns), sample(100, now_ns, 9000)]
    assert clock.set(samples) == 500
    assert clock.ahead_ns == 500


def test_a_measured_clock_holds_for_a_minute() -> None:
    """Then it is to be measured anew."""
    clock = DaemonClock(is_ours=False)
    known = []
    for measured_s_ago in (61, 50):
        clock.set([sample(1, time.monotonic_ns() - measured_s_ago * S)])
        known.append(clock.ahead_ns)
    assert known == [None, 1]


def test_a_doubtful_clock_is_measured_anew_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubt after doubt makes nobody measure more often than that."""
    clock = DaemonClock(is_ours=False)
    known = []
    for now_s in (100.0, 100.9, 101.1):
        monkeypatch.setattr("time.monotonic_ns", lambda now_s=now_s: round(now_s * S))
        clock.set([sample(1, time.monotonic_ns())])
        clock.doubt()
        known.append(clock.ahead_ns)
    assert known == [None, 1, None]


@pytest.mark.parametrize(("off_ns", "agrees"), [(0, True), (10**6, True), (10**8, False), (-(10**8), False)])
def test_a_reading_that_cannot_be_is_found_out(off_ns: int, agrees: bool) -> None:
    """The daemon cannot have received a request before it was sent, nor after it was answered."""
    now_ns = time.monotonic_ns()
    clock = DaemonClock(is_ours=False)
    clock.set([sample(5 * S, now_ns)])
    clock.check("life", sample(5 * S + off_ns, now_ns + S))
    assert (clock.ahead_ns is not None) == agrees


def test_a_daemon_of_this_host_has_this_clock() -> None:
    """Whatever comes."""
    clock = DaemonClock(is_ours=True)
    clock.check("one", sample(5 * S, 1))
    clock.doubt()
    clock.check("two", sample(7 * S, 1))
    assert clock.ahead_ns == 0
