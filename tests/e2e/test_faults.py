"""The real program with a network that fails: what clients are told, and how the process ends."""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from tests.e2e.faulty_daemon import GPU_TIMEOUT, Fault, crop_with, faulty_daemon, let_go
from tests.unit.sidecar.fakes import wait_for
from wilor_client import ErrorCode, Hand, HandClient, HandEvents, NoReplyError, RefusedError
from wilor_protocol.codec import decode_event, subscription
from wilor_protocol.events import STATE_TOPIC, StateEvent, hands_topic
from wilor_protocol.replies import State
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.daemon_process import DaemonProcess

from .test_answers import wait_until_subscribed

WAIT_S = 30
HANG_LIMIT_S = "5"
"""Long enough for what a test does meanwhile, also on a busy machine."""
Start = Callable[..., DaemonProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts faulty daemons, as `faulty_daemon` makes them, and waits for a state; none outlives its test."""
    running: list[DaemonProcess] = []

    def started(*arguments: str, until: State = "ready", **particulars: object) -> DaemonProcess:
        daemon = faulty_daemon(*arguments, **particulars)  # type: ignore[arg-type]
        running.append(daemon.__enter__())
        daemon.wait_until(until)
        return daemon

    yield started
    for daemon in running:
        daemon.__exit__(None, None, None)


def client_of(daemon: DaemonProcess) -> HandClient:
    """A patient client."""
    return HandClient(daemon.requests_address, timeout_ms=WAIT_S * 1000)


class States:
    """A listener of the daemon's states, from the moment it is made."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.SUBSCRIBE, subscription(STATE_TOPIC))
        self._socket.connect(daemon.events_address)
        self.first = self.next()

    def next(self) -> StateEvent:
        """The next one."""
        assert self._socket.poll(WAIT_S * 1000), "no state event"
        _, event = decode_event(self._socket.recv())
        assert isinstance(event, StateEvent)
        return event

    def __enter__(self) -> "States":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


def refusal_of(client: HandClient, fault: Fault) -> RefusedError:
    """How a request is refused that makes the network fail so."""
    with pytest.raises(RefusedError) as refused:
        client.estimate(crop_with(fault), "right")
    return refused.value


def assert_serves(client: HandClient) -> None:
    """An honest request gets its hand."""
    assert len(client.estimate(crop_with(Fault.NONE), "right").hands) == 1


def test_a_gpu_fault_that_passes_is_not_noticed(start: Start) -> None:
    """The batch is run again and answered; the counters say so."""
    daemon = start()
    with client_of(daemon) as client:
        assert len(client.estimate(crop_with(Fault.GPU_FAULT_ONCE), "right").hands) == 1
        assert client.status().counters["batches_retried"] == 1
        assert_serves(client)
    assert daemon.stop() == Exit.OK


@pytest.mark.parametrize(("fault", "words"), [(Fault.GPU_FAULT, GPU_TIMEOUT), (Fault.END_OF_THREAD, "thread has died")])
def test_a_lost_engine_ends_the_process(start: Start, fault: Fault, words: str) -> None:
    """The sender is told, listeners hear `failed` and why, and a supervisor sees 70."""
    daemon = start()
    with client_of(daemon) as client, States(daemon) as states:
        assert states.first.state == "ready"
        refused = refusal_of(client, fault)
        assert refused.code == ErrorCode.ENGINE_ERROR
        assert words in refused.message
        failed = states.next()
        assert failed.state == "failed"
        assert words in failed.reason
    assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT
    assert words in daemon.log()


def test_a_mistake_costs_one_request(start: Start) -> None:
    """An error that is not the device's is told to the sender, and the daemon goes on."""
    daemon = start()
    with client_of(daemon) as client:
        refused = refusal_of(client, Fault.MISTAKE)
        assert (refused.code, refused.retryable) == (ErrorCode.ENGINE_ERROR, True)
        assert_serves(client)
    assert daemon.stop() == Exit.OK


def test_nonsense_is_neither_answered_nor_published(start: Start) -> None:
    """A NaN becomes a refusal, is counted, and no event has it; the next frame's event has the next number."""
    daemon = start()
    with client_of(daemon) as client, HandEvents(client.source, daemon.events_address, only_newest=False) as events:
        wait_until_subscribed(client, hands_topic(client.source))
        assert refusal_of(client, Fault.NAN).code == ErrorCode.ENGINE_ERROR
        reply = client.estimate(crop_with(Fault.NONE), "right")
        event = events.next(WAIT_S * 1000)
        assert event is not None
        assert event.seq == reply.seq == 1
        assert np.isfinite(event.hands[0].camera).all()  # type: ignore[arg-type]
        assert client.status().counters["not_finite"] == 1
    assert daemon.stop() == Exit.OK


def test_a_hang_is_reported_and_ends_the_process(start: Start) -> None:
    """While the engine hangs the daemon still answers; then every sender is told, and the process ends with 70."""
    daemon = start("--hang-limit", HANG_LIMIT_S, device="gpu")
    failures: list[RefusedError] = []

    def send(fault: Fault) -> None:
        with client_of(daemon) as sender:
            failures.append(refusal_of(sender, fault))

    with client_of(daemon) as client, States(daemon) as states:
        hanging = threading.Thread(target=send, args=(Fault.HANG,))
        hanging.start()
        wait_for(lambda: client.status().queue.running_crops == 1, "a batch in flight", WAIT_S)
        waiting = threading.Thread(target=send, args=(Fault.NONE,))
        waiting.start()
        wait_for(lambda: client.status().queue.waiting_crops == 1, "a frame that waits", WAIT_S)
        status = client.status()
        assert (status.live, status.state) == (True, "ready")
        assert f"hangs: running a batch of 1 for over {HANG_LIMIT_S} s" in states.next().reason
        hanging.join(WAIT_S)
        waiting.join(WAIT_S)
    assert [refused.code for refused in failures] == [ErrorCode.ENGINE_ERROR] * 2
    assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT
    assert "_hang" in daemon.log(), "the log shows where the thread stood"


def test_a_deep_ping_is_answered_by_a_hanging_engine_too(start: Start) -> None:
    """With a refusal, when the daemon gives up; not with silence."""
    daemon = start("--hang-limit", HANG_LIMIT_S, device="gpu")
    sender = threading.Thread(target=lambda: _ignore_refusal(daemon, crop_with(Fault.HANG)))
    with client_of(daemon) as client:
        sender.start()
        wait_for(lambda: client.status().queue.running_crops == 1, "a batch in flight", WAIT_S)
        with pytest.raises(RefusedError) as refused:
            client.ping(deep=True)
        assert refused.value.code == ErrorCode.ENGINE_ERROR
    sender.join(WAIT_S)
    assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT


def _ignore_refusal(daemon: DaemonProcess, crop: np.ndarray) -> None:
    with client_of(daemon) as client, pytest.raises(RefusedError):
        client.estimate(crop, "right")


def test_a_hanging_io_thread_is_ended_by_the_watchdog() -> None:
    """Nobody cooperates: the I/O thread is stuck in a line of its log, which nobody reads."""
    daemon = faulty_daemon()
    read, write = os.pipe()
    daemon._log.close()
    daemon._log = os.fdopen(write, "wb")  # type: ignore[assignment]
    with daemon, zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(daemon.requests_address)
        daemon.wait_until("ready")
        _fill(write)
        socket.send_multipart([b"", b"garbage that is logged"])
        assert daemon.process.wait(60) == Exit.ENGINE_FAULT
    os.close(read)


def _fill(pipe: int) -> None:
    """Write until a pipe takes no more: who writes to it next waits for ever."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x")
    os.set_blocking(pipe, True)


def test_clients_go_on_after_an_abort(start: Start, short_dir: Path) -> None:
    """When the process itself crashes and is started again, the same client goes on."""
    daemon = start(run_dir=short_dir)
    with client_of(daemon) as client:
        with pytest.raises(NoReplyError):
            client.estimate(crop_with(Fault.ABORT), "right", timeout_ms=3000)
        assert daemon.process.wait(WAIT_S) == -signal.SIGABRT
        daemon.start()
        daemon.wait_until("ready")
        assert_serves(client)
    assert daemon.stop() == Exit.OK


def test_a_load_that_fails_is_degraded(start: Start) -> None:
    """The daemon stays, says why, and is not ready."""
    daemon = start(load="raise", until="degraded")
    with client_of(daemon) as client:
        status = client.status()
        assert (status.live, status.ready) == (True, False)
        assert "not what it should be" in status.reason
    assert daemon.stop() == Exit.OK


def test_a_load_that_failed_is_tried_again(start: Start) -> None:
    """The reason says when; what stood in the way may have passed by then, and nobody needs to start anything."""
    daemon = start(load="raise once", until="degraded")
    with client_of(daemon) as client, States(daemon) as states:
        told = client.status().reason
        assert re.search(r"not what it should be; the network is loaded at \d\d:\d\d:\d\d$", told), told
        while states.next().state != "ready":
            pass
        assert_serves(client)
    assert daemon.stop() == Exit.OK


def test_a_gpu_fault_before_it_is_ready_ends_the_process(start: Start) -> None:
    """When it happens twice: nobody waits for a network that this process will never have."""
    daemon = faulty_daemon(load="gpu fault")
    with daemon:
        assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT
        assert f"failed: the device failed twice before the network was ready: {GPU_TIMEOUT}" in daemon.log()


def test_a_gpu_fault_in_a_reload_that_passes_is_got_over(start: Start) -> None:
    """The network that was let go is back with the second try, and the daemon was never degraded."""
    daemon = start("--unload-after", "5", load="gpu fault once a reload")
    with client_of(daemon) as client, States(daemon) as states:
        if states.first.state != "loading":
            assert states.next().state == "loading"
        assert refusal_of(client, Fault.NONE).code == ErrorCode.LOADING
        heard: list[str] = []
        while "ready" not in heard:
            heard.append(states.next().state)
        assert heard == ["loading", "warming", "ready"]
        assert_serves(client)
    assert "it is tried once more" in daemon.log()
    assert daemon.stop() == Exit.OK


def test_a_crash_loop_ends_in_degraded(start: Start, short_dir: Path) -> None:
    """After three failed starts the fourth loads nothing and says why; a clean stop makes the fifth a first one."""
    arguments = ("--most-failed-starts", "3")
    for _ in range(3):
        daemon = start(*arguments, run_dir=short_dir)
        with client_of(daemon) as client:
            refusal_of(client, Fault.GPU_FAULT)
        assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT
    daemon = start(*arguments, run_dir=short_dir, until="degraded")
    with client_of(daemon) as client:
        reason = client.status().reason
        assert "3 starts failed within 10 minutes" in reason
        assert GPU_TIMEOUT in reason
        assert "stop it and start it again to try at once; the network is loaded at " in reason
        assert refusal_of(client, Fault.NONE).code == ErrorCode.ENGINE_ERROR
    assert daemon.stop() == Exit.OK
    daemon = start(*arguments, run_dir=short_dir)
    assert daemon.stop() == Exit.OK


def test_without_the_guard_every_start_loads(start: Start, short_dir: Path) -> None:
    """The control of the test above: with the guard switched off no number of failed starts makes a difference."""
    for _ in range(6):
        daemon = start("--most-failed-starts", "0", run_dir=short_dir)
        daemon.process.kill()
        daemon.process.wait()
    daemon = start("--most-failed-starts", "0", run_dir=short_dir)
    assert daemon.stop() == Exit.OK


@pytest.mark.parametrize("load", ["hang", "held", "held warm-up"])
def test_status_and_stop_while_loading(start: Start, load: str) -> None:
    """Loading, even for ever, keeps neither a status nor a stop waiting; it may end while the daemon stops."""
    daemon = start(load=load, until="warming" if load == "held warm-up" else "loading")
    ending = threading.Timer(0.3, let_go, [daemon])
    ending.start()
    assert daemon.stop() == Exit.OK
    ending.join()


def test_a_daemon_that_was_stopped_has_not_hung(start: Start) -> None:
    """Who was stopped (SIGSTOP), as on a host that sleeps, longer than a batch may take goes on when it is woken, and
    the late replies reach nobody.
    """
    limit_s = 2.0
    daemon = start("--hang-limit", str(limit_s), device="gpu")
    hands: list[Hand] = []
    with client_of(daemon) as client, client_of(daemon) as other:
        running = threading.Thread(target=lambda: hands.extend(other.estimate(crop_with(Fault.HOLD), "right").hands))
        running.start()
        wait_for(lambda: client.status().queue.running_crops == 1, "a batch in flight", WAIT_S)
        daemon.process.send_signal(signal.SIGSTOP)
        stands_until = time.monotonic() + 2 * limit_s
        for frame in range(1, 6):
            with pytest.raises(NoReplyError):
                client.estimate(crop_with(Fault.NONE), "right", frame=frame, timeout_ms=300)
        wait_for(lambda: time.monotonic() > stands_until, "the batch's time is over", WAIT_S)
        let_go(daemon)
        daemon.process.send_signal(signal.SIGCONT)
        assert len(client.estimate(crop_with(Fault.NONE), "right", frame=6).hands) == 1
        running.join()
        status = client.status()
        assert (status.state, status.counters["requests_estimate"]) == ("ready", 7), "all of them had reached it"
    assert len(hands) == 1
    assert daemon.stop() == Exit.OK
