"""What clients see when the host has slept. The sleep is told by a file in place of the clocks; the rest is real."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgpack
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from tests.e2e.conftest import RawDealer
from tests.e2e.faulty_daemon import GPU_TIMEOUT, Fault, crop_with, let_go
from tests.e2e.sleepy_daemon import SleepyHost, sleepy_daemon
from tests.unit.sidecar.fakes import wait_for
from wilor_client import ErrorCode, HandClient, HandEvents, NoReplyError, RefusedError
from wilor_protocol.events import hands_topic
from wilor_protocol.replies import EstimateReply
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.host_sleep import HostSleep, Sleep, asleep_ns

from .test_answers import wait_until_subscribed

WAIT_S = 60
NIGHT_H = 8
S = 10**9


def test_only_a_sleep_counts() -> None:
    """A second or more that the host has slept is told once; less is none, nor is what came before."""
    slept_ns = 5_000_000_000
    sleep = HostSleep(lambda: slept_ns)
    assert sleep.look() is None
    slept_ns += 900_000_000
    assert sleep.look() is None
    slept_ns += 7_100_000_000
    found = sleep.look()
    assert found is not None
    assert found.slept_s == 8.0
    assert found is sleep.last
    assert sleep.look() is None
    assert found is sleep.last


def test_a_sleep_lies_between_two_looks() -> None:
    """The moments that are told are those of the looks before and after it."""
    slept_ns = 0
    sleep = HostSleep(lambda: slept_ns)
    awake_ns = time.monotonic_ns()
    assert sleep.look() is None
    slept_ns = NIGHT_H * 3600 * S
    found = sleep.look()
    assert found is not None
    assert awake_ns <= found.before_ns <= found.noticed_ns <= time.monotonic_ns()


@pytest.mark.parametrize(
    ("captured_ns", "is_doubtful"),
    [(98 * S - 1, False), (98 * S, True), (100 * S, True), (101 * S, True), (101 * S + 1, False), (2**62, False)],
)
def test_frames_from_around_a_sleep_are_doubtful(captured_ns: int, is_doubtful: bool) -> None:
    """From two seconds before the last look until it was noticed. Another host's clock runs through that only once."""
    assert Sleep(28800, before_ns=100 * S, noticed_ns=101 * S).may_be_older(captured_ns) == is_doubtful


def test_without_a_sleep_no_frame_is_doubtful() -> None:
    """Whatever its time says."""
    assert {HostSleep().complaint(captured_ns) for captured_ns in (0, time.monotonic_ns(), 2**62)} == {""}


def test_the_clocks_of_this_host() -> None:
    """They can be read, and a host that is awake has not slept."""
    assert max(asleep_ns() for _ in range(10)) >= -1_000_000
    assert HostSleep().look() is None


@pytest.fixture
def host(tmp_path: Path) -> SleepyHost:
    """A host that has not slept, with a sound device."""
    return SleepyHost(tmp_path)


def client_of(daemon: DaemonProcess) -> HandClient:
    """A patient client."""
    return HandClient(daemon.requests_address, timeout_ms=WAIT_S * 1000)


def estimate_awake(client: HandClient, crop: NDArray[np.uint8]) -> EstimateReply:
    """An estimate after a sleep. A frame that comes in the very moment of it is refused, and sent again."""
    try:
        return client.estimate(crop, "right")
    except RefusedError as refused:
        if refused.code != ErrorCode.EXPIRED:
            raise
    return client.estimate(crop, "right")


def resumed(client: HandClient) -> int:
    """How many sleeps the daemon has come through."""
    return client.status().counters.get("resumed", 0)


def test_after_a_sleep_the_network_is_tested_and_said_to_have_resumed(
    host: SleepyHost, pixels: NDArray[np.uint8]
) -> None:
    """Once for each sleep, the daemon tests its network and counts it; it stays ready, and answers as before."""
    with sleepy_daemon(host, network="real") as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        before = client.estimate(pixels[0], "right").hands[0].vertices
        assert resumed(client) == 0
        host.sleep(NIGHT_H)
        after = estimate_awake(client, pixels[0]).hands[0].vertices
        assert resumed(client) == 1, "the answer came before the test"
        assert client.status().ready
        assert np.array_equal(before, after)  # type: ignore[arg-type]
        assert daemon.stop() == Exit.OK


@pytest.fixture
def quick(host: SleepyHost) -> Iterator[DaemonProcess]:
    """A daemon whose network takes no time; ready."""
    with sleepy_daemon(host, network="faulty") as daemon:
        daemon.wait_until("ready")
        yield daemon
        assert daemon.stop() == Exit.OK


def test_a_batch_that_was_running_is_refused_and_not_published(quick: DaemonProcess, host: SleepyHost) -> None:
    """Its frame is a night old: the sender is told so at once, no event has it, and the next frame is served."""
    refusals: list[RefusedError] = []

    def estimate(sender: HandClient) -> None:
        with pytest.raises(RefusedError) as refused:
            sender.estimate(crop_with(Fault.HOLD), "right")
        refusals.append(refused.value)

    with (
        client_of(quick) as client,
        client_of(quick) as sender,
        HandEvents(sender.source, quick.events_address, only_newest=False) as events,
    ):
        wait_until_subscribed(client, hands_topic(sender.source))
        running = threading.Thread(target=estimate, args=(sender,))
        running.start()
        wait_for(lambda: client.status().queue.running_crops == 1, "a batch in flight", WAIT_S)
        host.sleep(NIGHT_H)
        running.join(WAIT_S)
        assert refusals[0].code == ErrorCode.EXPIRED
        assert "slept for 28800 s" in refusals[0].message
        let_go(quick)
        reply = sender.estimate(crop_with(Fault.NONE), "right")
        event = events.next(WAIT_S * 1000)
        assert event is not None
        assert event.seq == reply.seq == 1, "the frame from before the sleep was published"
        assert event.resumed == 1
        assert client.status().ready


def is_the_first_of_the_morning(daemon: DaemonProcess, client: HandClient, events: HandEvents) -> bool:
    """Whether a frame that is sent now is the first to be published, with the sleep counted."""
    assert len(estimate_awake(client, crop_with(Fault.NONE)).hands) == 1
    event = events.next(WAIT_S * 1000)
    assert event is not None
    return (event.seq, event.resumed) == (1, 1)


@pytest.mark.parametrize("deadline_ms", [None, 5000])
def test_a_frame_that_a_camera_took_before_the_sleep_is_refused(
    quick: DaemonProcess, host: SleepyHost, deadline_ms: float | None
) -> None:
    """The camera was frozen between taking and sending it: its clock stood still too, so that no deadline helps."""
    with client_of(quick) as client, HandEvents("cam", quick.events_address, only_newest=False) as events:
        client.source = "cam"
        wait_until_subscribed(client, hands_topic("cam"))
        taken_ns = time.monotonic_ns()
        host.sleep(NIGHT_H)
        wait_for(lambda: resumed(client) == 1, "it has noticed", WAIT_S)
        with pytest.raises(RefusedError) as refused:
            client.estimate(crop_with(Fault.NONE), "right", captured_at_ns=taken_ns, deadline_ms=deadline_ms)
        assert refused.value.code == ErrorCode.EXPIRED
        assert "before the host slept for 28800 s" in refused.value.message
        assert is_the_first_of_the_morning(quick, client, events)


def test_a_frame_that_lay_in_the_socket_over_night_is_refused(quick: DaemonProcess, host: SleepyHost) -> None:
    """It was sent in the evening, and the daemon reads it in the morning."""
    with (
        client_of(quick) as client,
        HandEvents("cam", quick.events_address, only_newest=False) as events,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as socket,
    ):
        client.source = "cam"
        wait_until_subscribed(client, hands_topic("cam"))
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(quick.requests_address)
        dealer = RawDealer(socket)
        assert dealer.ask(op="ping")["ok"]
        quick.process.send_signal(signal.SIGSTOP)
        hand = {"crop": crop_with(Fault.NONE).tobytes(), "side": "right"}
        frame = {"source": "cam", "frame": 1, "captured_at_ns": time.monotonic_ns(), "hands": [hand]}
        dealer.send(msgpack.packb({"v": 1, "id": 2, "op": "estimate", **frame}))
        host.sleep(NIGHT_H)
        quick.process.send_signal(signal.SIGCONT)
        assert dealer.reply()["error"]["code"] == "expired"
        assert is_the_first_of_the_morning(quick, client, events)


def test_frames_of_another_clock_are_served_after_a_sleep(quick: DaemonProcess, host: SleepyHost) -> None:
    """A sender that numbers its frames, or whose clock is hours behind, is not refused for ever."""
    with client_of(quick) as client:
        host.sleep(NIGHT_H)
        wait_for(lambda: resumed(client) == 1, "it has noticed", WAIT_S)
        for captured_at_ns in (1, max(2, time.monotonic_ns() - 100 * S)):
            reply = client.estimate(crop_with(Fault.NONE), "right", captured_at_ns=captured_at_ns)
            assert len(reply.hands) == 1


def test_a_device_that_needs_a_moment_gets_it(host: SleepyHost) -> None:
    """A test that fails once is repeated; the daemon stays ready and answers."""
    with sleepy_daemon(host, network="faulty") as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        host.break_device(times=1)
        host.sleep(NIGHT_H)
        assert len(estimate_awake(client, crop_with(Fault.NONE)).hands) == 1
        assert resumed(client) == 1
        assert not host.device_fails(), "the network was not tested"
        assert client.status().ready
        assert daemon.stop() == Exit.OK


def test_a_device_that_does_not_wake_ends_the_process(host: SleepyHost) -> None:
    """A test that fails twice is a fault of the engine: nobody gets an answer, and a supervisor starts anew."""
    with sleepy_daemon(host, network="faulty") as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        host.break_device(times=2)
        host.sleep(NIGHT_H)
        with pytest.raises((RefusedError, NoReplyError)) as failed:  # or it has gone already
            client.estimate(crop_with(Fault.NONE), "right", timeout_ms=5000)
        if isinstance(failed.value, RefusedError):
            assert failed.value.code in (ErrorCode.ENGINE_ERROR, ErrorCode.EXPIRED)
        assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT
        assert "it is tried once more" in daemon.log()
        assert (
            f"failed: the network fails on a black crop too: {GPU_TIMEOUT} (after the host has slept)" in daemon.log()
        )
