"""What clients see when the host has slept. The sleep is told by a file in place of the clocks; the rest is real."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e.faulty_daemon import GPU_TIMEOUT, Fault, crop_with
from tests.e2e.sleepy_daemon import SleepyHost, sleepy_daemon
from tests.unit.sidecar.fakes import wait_for
from wilor_client import ErrorCode, HandClient, HandEvents, RefusedError
from wilor_protocol.events import hands_topic
from wilor_protocol.replies import EstimateReply
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.host_sleep import HostSleep, asleep_ns

from .test_answers import wait_until_subscribed

WAIT_S = 60
NIGHT_H = 8


def test_only_a_sleep_counts() -> None:
    """A second or more that the host has slept is told once; less is none, nor is what came before."""
    slept_ns = 5_000_000_000
    sleep = HostSleep(lambda: slept_ns)
    assert sleep.slept_s() == 0
    slept_ns += 900_000_000
    assert sleep.slept_s() == 0
    slept_ns += 7_100_000_000
    assert [sleep.slept_s(), sleep.slept_s()] == [8.0, 0.0]


def test_the_clocks_of_this_host() -> None:
    """They can be read, and a host that is awake has not slept."""
    assert asleep_ns() >= -1_000_000
    assert HostSleep().slept_s() == 0


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
def slow(host: SleepyHost) -> Iterator[DaemonProcess]:
    """A daemon whose batches take long enough to sleep in; ready."""
    with sleepy_daemon(host, network="faulty", delay_ms=1500) as daemon:
        daemon.wait_until("ready")
        yield daemon
        assert daemon.stop() == Exit.OK


def test_a_batch_that_was_running_is_refused_and_not_published(slow: DaemonProcess, host: SleepyHost) -> None:
    """Its frame is a night old: the sender is told so at once, no event has it, and the next frame is served."""
    refusals: list[RefusedError] = []

    def estimate(sender: HandClient) -> None:
        with pytest.raises(RefusedError) as refused:
            sender.estimate(crop_with(Fault.NONE), "right")
        refusals.append(refused.value)

    with (
        client_of(slow) as client,
        client_of(slow) as sender,
        HandEvents(sender.source, slow.events_address, only_newest=False) as events,
    ):
        wait_until_subscribed(client, hands_topic(sender.source))
        running = threading.Thread(target=estimate, args=(sender,))
        running.start()
        wait_for(lambda: client.status().queue.running_crops == 1, "a batch in flight", WAIT_S)
        host.sleep(NIGHT_H)
        running.join(WAIT_S)
        assert refusals[0].code == ErrorCode.EXPIRED
        assert "slept for 28800 s" in refusals[0].message
        reply = sender.estimate(crop_with(Fault.NONE), "right")
        event = events.next(WAIT_S * 1000)
        assert event is not None
        assert event.seq == reply.seq == 1, "the frame from before the sleep was published"
        assert event.resumed == 1
        assert client.status().ready


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
        with pytest.raises(RefusedError) as refused:
            client.estimate(crop_with(Fault.NONE), "right")
        assert refused.value.code in (ErrorCode.ENGINE_ERROR, ErrorCode.EXPIRED)
        assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT
        assert "it is tried once more" in daemon.log()
        assert (
            f"failed: the network fails on a black crop too: {GPU_TIMEOUT} (after the host has slept)" in daemon.log()
        )
