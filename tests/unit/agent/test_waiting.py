"""How a start ends, in the eyes of who waits for it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq
from tests.contract import golden_messages

from wilor_protocol.address import requests_address
from wilor_protocol.codec import decode_request, encode
from wilor_protocol.replies import StatusReply
from wilor_sidecar.agent import waiting
from wilor_sidecar.agent.report import Report
from wilor_sidecar.agent.waiting import ask, wait_until_ready

ENDED = Report(summary="spawn scheduled", is_loaded=True, starts=3, last_exit="1", will_start=True, is_denied=True)
RUNNING = Report(summary="running", is_loaded=True, pid=1, starts=4, last_exit="1", will_start=True, is_denied=True)


def test_the_end_comes_with_what_was_seen_then(short_dir: Path) -> None:
    """A program that dies and is started again runs once more when it is looked at later: advice goes by the end."""
    seen = iter([RUNNING, ENDED, RUNNING])
    outcome = wait_until_ready(lambda: next(seen), short_dir, 60, lambda state: None)
    assert not outcome.is_ready
    assert outcome.why == "it ended (1), 3 times so far; spawn scheduled"
    assert (outcome.report, outcome.status) == (ENDED, None)


@pytest.mark.parametrize("timeout_s", [0, 0.1])
def test_patience_ends(timeout_s: float, short_dir: Path) -> None:
    """With what the daemon told the supervisor last; even without patience it is looked at once."""
    says = Report(summary="running", is_loaded=True, pid=1, says="loading: reading and checking the weights")
    outcome = wait_until_ready(lambda: says, short_dir, timeout_s, lambda state: None)
    assert not outcome.is_ready
    assert outcome.why == f"it is not ready after {timeout_s:g} s; loading: reading and checking the weights"
    assert outcome.report is says


@pytest.fixture
def answering(short_dir: Path) -> Iterator[Path]:
    """The run directory of one that answers."""
    status = msgspec.convert(golden_messages.replies()["status_reply"], StatusReply)
    has_ended = threading.Event()

    def answer() -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.linger = 0
            socket.bind(requests_address(short_dir))
            while not has_ended.is_set():
                if socket.poll(20):
                    *route, body = socket.recv_multipart()
                    reply = msgspec.structs.replace(status, id=decode_request(body).id)
                    socket.send_multipart([*route, encode(reply)])

    thread = threading.Thread(target=answer)
    thread.start()
    yield short_dir
    has_ended.set()
    thread.join()


def test_a_daemon_that_is_known_to_run_has_longer_to_answer(answering: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be busy; that nobody is there is to be learnt soon."""
    monkeypatch.setattr(waiting, "_REPLY_MS", 0)
    monkeypatch.setattr(waiting, "_REPLY_OF_ONE_THAT_RUNS_MS", 20_000)
    assert ask(answering) is None
    status = ask(answering, is_there=True)
    assert status is not None
    assert status.ready
