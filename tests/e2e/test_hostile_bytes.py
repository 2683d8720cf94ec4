"""Bytes that no client of ours would send: an error reply or a disconnection, and the next honest request is served."""

import time
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray
from zmq.utils.monitor import recv_monitor_message

from tests.e2e.conftest import RawDealer
from wilor_client import HandClient
from wilor_protocol.limits import MAX_FRAME_BYTES, MAX_REQUEST_BYTES
from wilor_sidecar.daemon_process import DaemonProcess

Fields = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def serves_honest_requests_afterwards(client: HandClient, pixels: NDArray[np.uint8]) -> Any:
    """Whatever a test has sent, the daemon answers an estimate."""
    yield
    assert client.ping(deep=True).deep
    assert len(client.estimate(pixels[0], "right").hands) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hands": []}, ["hands", "1 to 8", "0"]),
        ({"hands": [{"crop": b"\0" * 196_607, "side": "right"}]}, ["hands[0]", "crop", "196608", "196607"]),
        ({"hands": [{"crop": b"\0" * 196_609, "side": "right"}]}, ["crop", "196608", "196609"]),
        ({"hands": [{"crop": b"\0" * 196_608, "side": "Right"}]}, ["side", "Right"]),
        ({"hands": [{"side": "left"}]}, ["crop"]),
        ({"hands": [{"crop": {"codec": "png", "data": b"not a png"}, "side": "left"}]}, ["hands[0].crop", "png"]),
        ({"hands": [{"crop": b"\0" * 196_608, "side": "left", "box": [float("nan"), 0, 10]}]}, ["box", "nan"]),
        ({"hands": [{"crop": b"\0" * 196_608, "side": "left", "score": 1.5}]}, ["score", "1.5"]),
        ({"frame": -1}, ["frame", "-1"]),
        ({"frame": 2**53 + 1}, ["frame", str(2**53 + 1)]),
        ({"frame": "one"}, ["frame", "int", "str"]),
        ({"source": ""}, ["source", "0"]),
        ({"source": "a\0b"}, ["source", "printable"]),
        ({"deadline_ms": float("inf")}, ["deadline_ms", "inf"]),
        ({"want": ["keypoints", "shoes"]}, ["want", "shoes"]),
        ({"image_size": [0, 480]}, ["image_size", "0"]),
    ],
)
def test_wrong_field_is_refused_by_name(
    dealer: RawDealer, estimate_fields: Fields, changes: dict[str, Any], words: list[str]
) -> None:
    """The refusal names the field, what came and what was expected, and bears the request's id."""
    reply = dealer.ask(**estimate_fields(**changes))
    assert (reply["ok"], reply["id"], reply["error"]["code"]) == (False, 1, "bad_request")
    assert not reply["error"]["retryable"]
    for word in words:
        assert word in reply["error"]["message"], reply["error"]["message"]


def test_a_time_of_another_clock_is_refused(dealer: RawDealer, estimate_fields: Fields) -> None:
    """The wall clock is decades ahead of the monotonic one: no frame would ever be too old. Seconds are let pass."""
    for captured_at_ns in (time.time_ns(), time.monotonic_ns() + 30 * 10**9, 2**63 - 1):
        error = dealer.ask(**estimate_fields(captured_at_ns=captured_at_ns))["error"]
        assert error["code"] == "bad_request"
        for words in ("captured_at_ns", "monotonic clock of the daemon's host", str(captured_at_ns)):
            assert words in error["message"]
    assert dealer.ask(**estimate_fields(captured_at_ns=time.monotonic_ns() + 9 * 10**9))["ok"]


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x00", b"\xff" * 100, msgpack.packb([1, 2]), msgpack.packb("hello"), b"\x91" * 100_000]
)
def test_garbage_gets_a_refusal(dealer: RawDealer, body: bytes) -> None:
    """Bytes that are no request are answered `bad_request`."""
    dealer.send(body)
    reply = dealer.reply()
    assert reply["error"]["code"] in {"bad_request", "unsupported_version"}


def test_unknown_operation_is_refused(dealer: RawDealer) -> None:
    """An operation that does not exist is named in the refusal."""
    assert "shutdown" in dealer.ask(op="shutdown")["error"]["message"]


@pytest.mark.parametrize("version", [0, 2, None])
def test_other_version_is_told_which_are_spoken(dealer: RawDealer, version: int | None) -> None:
    """A client of another protocol version learns the range that is spoken here."""
    error = dealer.ask(op="hello", v=version)["error"]
    assert (error["code"], error["protocol"]) == ("unsupported_version", [1, 1])


def test_unknown_fields_are_ignored(dealer: RawDealer) -> None:
    """A field from a later minor version does no harm."""
    assert dealer.ask(op="ping", mood={"deeply": ["nested", {}]})["ok"]


def test_frames_beyond_the_body_are_refused(dealer: RawDealer) -> None:
    """Two bodies, or none, are answered `bad_request`; without the empty frame there is nobody to answer."""
    dealer.send(b"one", b"two")
    assert dealer.reply()["error"]["code"] == "bad_request"
    dealer.send()
    assert dealer.reply()["error"]["code"] == "bad_request"
    dealer.socket.send_multipart([b"no", b"delimiter"])
    assert dealer.ask(op="ping")["ok"]


def test_too_large_request_is_refused(dealer: RawDealer) -> None:
    """One byte more than the limit is answered `too_large`."""
    dealer.send(b"\0" * (MAX_REQUEST_BYTES + 1))
    assert dealer.reply()["error"]["code"] == "too_large"


def test_huge_frame_ends_the_connection(daemon: DaemonProcess) -> None:
    """A frame that no request can need is not even read: its sender is disconnected."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        with socket.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            socket.connect(daemon.requests_address)
            socket.send_multipart([b"", b"\0" * (MAX_FRAME_BYTES + 1)])
            assert monitor.poll(20_000), "still connected"
            assert recv_monitor_message(monitor)["event"] == zmq.EVENT_DISCONNECTED
            socket.disable_monitor()


def test_newest_frame_of_a_source_wins(dealer: RawDealer, estimate_fields: Fields) -> None:
    """Of frames sent in a burst the newest is computed, each gets one reply, and the others are told."""
    for number in range(1, 21):
        dealer.send(msgpack.packb({"v": 1, "id": number, **estimate_fields(frame=number, captured_at_ns=number)}))
    replies = {reply["id"]: reply for reply in (dealer.reply() for _ in range(20))}
    assert sorted(replies) == list(range(1, 21))
    assert replies[20]["ok"]
    refused = [reply["error"]["code"] for reply in replies.values() if not reply["ok"]]
    assert set(refused) == {"superseded"}


def test_no_more_waits_than_a_batch_takes(dealer: RawDealer, estimate_fields: Fields) -> None:
    """Of many sources at once each is answered or told `busy`, exactly once."""
    for number in range(1, 41):
        fields = estimate_fields(source=f"source {number}", captured_at_ns=number)
        dealer.send(msgpack.packb({"v": 1, "id": number, **fields}))
    replies = [dealer.reply() for _ in range(40)]
    assert sorted(reply["id"] for reply in replies) == list(range(1, 41))
    assert {reply["error"]["code"] for reply in replies if not reply["ok"]} == {"busy"}
    assert all(reply["error"]["retryable"] for reply in replies if not reply["ok"])
    answered = [reply for reply in replies if reply["ok"]]
    assert len(answered) >= 8
    assert max(reply["timing"]["batch"] for reply in answered) == 8
