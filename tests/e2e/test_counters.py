"""What the daemon counts balances: every request is answered or refused once, and what is not yet is in hand."""

import time
from typing import Any

import msgpack

from tests.e2e.conftest import dealer_to
from tests.e2e.counting import counted, in_hand
from tests.e2e.faulty_daemon import Fault, crop_with, faulty_daemon, let_go
from tests.e2e.test_faults import client_of
from tests.unit.sidecar.fakes import wait_for

WAIT_S = 30


def request(number: int, **fields: Any) -> bytes:
    """A request's body."""
    body: bytes = msgpack.packb({"v": 1, "id": number, **fields})
    return body


def estimate(number: int, fault: Fault = Fault.NONE, *, hands: int = 1, **fields: Any) -> bytes:
    """A request for an estimate, of a source of its own unless the fields say otherwise."""
    hand = {"crop": crop_with(fault).tobytes(), "side": "right"}
    usual = {"op": "estimate", "source": f"source {number}", "frame": 1, "captured_at_ns": 1, "hands": [hand] * hands}
    return request(number, **{**usual, **fields})


def all_kinds() -> list[tuple[bytes, ...]]:
    """Messages that come to every end that a request can have, or nearly."""
    bodies = [
        *(request(0, op=op) for op in ("hello", "status", "ping", "topology", "no such operation")),
        request(0, op="ping", deep=True),
        b"garbage",
        b"x" * 1_700_000,
        msgpack.packb({"v": 2, "id": 1, "op": "hello"}),
        estimate(1, Fault.NAN),
        estimate(2, Fault.MISTAKE),
        estimate(3, Fault.GPU_FAULT_ONCE),
        estimate(4, captured_at_ns=time.time_ns()),
        *(estimate(5, source="one", captured_at_ns=number) for number in range(10)),
        *(estimate(6 + number, hands=8) for number in range(5)),
        *(estimate(20 + number, deadline_ms=0.0) for number in range(5)),
    ]
    return [*((body,) for body in bodies), (), (b"two", b"bodies")]


def test_requests_answers_and_refusals_balance() -> None:
    """Whatever was asked, and however often; while a batch runs, what runs and waits is what is missing."""
    with (
        faulty_daemon("--hang-limit", "60", delay_ms=100) as daemon,
        client_of(daemon) as client,
        dealer_to(daemon) as dealer,
    ):
        daemon.wait_until("ready")
        before = client.status()
        assert in_hand(before) == 0
        dealer.send(estimate(0, Fault.HOLD))
        wait_for(lambda: client.status().queue.running_crops == 1, "a batch in flight", WAIT_S)
        dealer.send(estimate(1))
        dealer.send(request(2, op="ping", deep=True))
        wait_for(lambda: in_hand(client.status()) == 3, "one runs, one waits, and a ping", WAIT_S)
        let_go(daemon)
        for _ in range(3):
            assert dealer.reply()["ok"]
        sent = 3
        for frames in all_kinds() * 2:
            dealer.send(*frames)
            sent += 1
        ends = {"ok" if reply["ok"] else reply["error"]["code"] for reply in (dealer.reply() for _ in range(sent - 3))}
        status = client.status()
        assert in_hand(status) == 0
        assert status.counters["requests_unreadable"] == 2 * 6
        others = counted(status, "requests_status") - counted(before, "requests_status") - 2  # this client's
        assert counted(status, "requests_") - counted(before, "requests_") == sent + others
        assert ends >= {"ok", "bad_request", "too_large", "unsupported_version", "superseded", "busy", "engine_error"}
        assert daemon.stop() == 0
