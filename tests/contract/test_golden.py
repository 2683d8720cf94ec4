"""The golden messages mean to our codec, and to a reader that is not ours, what their JSON says."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from msgspec import Struct

from wilor_protocol import replies
from wilor_protocol.codec import (
    MalformedError,
    decode_event,
    decode_message,
    decode_reply_head,
    decode_request,
    encode,
    encode_event,
)
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.events import HandsEvent, StateEvent
from wilor_protocol.requests import AnyRequest

from .golden_files import Golden, pack, read_goldens, start, unpack
from .make_golden import write
from .meaning import meaning, same

_GOLDENS = read_goldens()
_VALID = [golden for golden in _GOLDENS if golden.about.get("valid", True)]
_INVALID = [golden for golden in _GOLDENS if golden not in _VALID]
_REPLIES: dict[str, type[Struct]] = {
    "hello_reply": replies.HelloReply,
    "status_reply": replies.StatusReply,
    "pong_reply": replies.PongReply,
    "topology_reply": replies.TopologyReply,
    "estimate_reply": replies.EstimateReply,
    "refusal": replies.RefusalReply,
}


def _each(goldens: list[Golden], kind: str | None = None) -> pytest.MarkDecorator:
    chosen = [golden for golden in goldens if kind in (None, golden.about["kind"])]
    assert chosen
    return pytest.mark.parametrize("golden", chosen, ids=lambda golden: golden.name)


def _reply_type(golden: Golden) -> type[Struct]:
    return next(kind for name, kind in _REPLIES.items() if golden.name.startswith(name))


def _read(golden: Golden) -> Struct:
    match golden.about["kind"]:
        case "request":
            return decode_request(golden.data)
        case "reply":
            return decode_message(golden.data, _reply_type(golden))
        case "event":
            topic, event = decode_event(golden.data)
            assert topic == golden.about["topic"]
            return event
        case kind:
            raise AssertionError(kind)


def _body(golden: Golden) -> bytes:
    return golden.data.partition(b"\0")[2] if golden.about["kind"] == "event" else golden.data


def test_the_generator_writes_the_committed_files(tmp_path: Path) -> None:
    """Whoever changes a golden message changes the generator, and nobody does either by accident."""
    write(tmp_path)
    assert {golden.name: golden for golden in read_goldens(tmp_path)} == {golden.name: golden for golden in _GOLDENS}


def test_every_message_has_a_golden() -> None:
    """No operation, reply, event or error code is without its bytes."""
    read = [_read(golden) for golden in _VALID if golden.about["canonical"]]
    wanted = {*get_args(AnyRequest), *_REPLIES.values(), HandsEvent, StateEvent}
    assert {type(message) for message in read} == wanted
    codes = {message.error.code for message in read if isinstance(message, replies.RefusalReply)}
    assert codes == set(ErrorCode)


@_each(_VALID)
def test_our_codec_reads_the_meaning(golden: Golden) -> None:
    """Decoded, each message has the values of its JSON, however it was written."""
    read = meaning(_read(golden))
    assert same(read, golden.about["message"]), read


@_each(_VALID)
def test_a_generic_reader_reads_the_meaning(golden: Golden) -> None:
    """msgpack-python, told nothing of our types, finds the same map."""
    read = unpack(_body(golden))
    assert same(read, golden.about.get("as_written", golden.about["message"])), read


@_each(_VALID)
def test_our_codec_writes_the_canonical_bytes(golden: Golden) -> None:
    """Encoded again, a canonical message is the same bytes; any other becomes canonical."""
    message = _read(golden)
    if isinstance(message, HandsEvent | StateEvent):
        written = encode_event(golden.about["topic"], message)
    else:
        written = encode(message)
    assert written == start(golden.about.get("topic")) + pack(golden.about["message"])
    assert (written == golden.data) == golden.about["canonical"]


@_each(_VALID, "reply")
def test_the_head_tells_answers_from_refusals(golden: Golden) -> None:
    """What a client reads first agrees with the whole message."""
    head = decode_reply_head(golden.data)
    message = golden.about["message"]
    assert (head.id, head.ok) == (message["id"], message["ok"])
    assert (head.error is None) == head.ok


@_each(_INVALID, "request")
def test_an_invalid_request_is_refused_by_name(golden: Golden) -> None:
    """The refusal has the code, the id where one can be read, and names the field."""
    with pytest.raises(Refusal) as caught:
        decode_request(golden.data)
    assert caught.value.error.code == golden.about["code"]
    assert caught.value.request_id == golden.about["id"]
    assert golden.about["names"] in caught.value.error.message


def _read_as_clients_do(reply: bytes) -> replies.EstimateReply:
    decode_reply_head(reply)
    return decode_message(reply, replies.EstimateReply)


@_each([golden for golden in _INVALID if golden.about["kind"] != "request"])
def test_an_invalid_answer_is_not_taken_for_sound(golden: Golden) -> None:
    """A reply or an event that is not as declared is malformed, and the text names what."""
    with pytest.raises(MalformedError, match=golden.about["names"]):
        _read(golden) if golden.about["kind"] == "event" else _read_as_clients_do(golden.data)


@pytest.mark.parametrize("name", ["joints_event", "joints_event_other_source"])
def test_a_joints_event_is_small(name: str) -> None:
    """A small event takes under 1 KB for each hand."""
    golden = next(golden for golden in _VALID if golden.name == name)
    event = _read(golden)
    assert isinstance(event, HandsEvent)
    assert len(golden.data) < 1024 * len(event.hands)


def test_array_elements_keep_their_places() -> None:
    """Arrays are row-major: the golden key points rise by 1/64 from -0.5, along x, y, z of one joint, then the next."""
    golden = next(golden for golden in _VALID if golden.name == "estimate_reply_keypoints")
    reply = decode_message(golden.data, replies.EstimateReply)
    keypoints: Any = reply.hands[0].keypoints
    np.testing.assert_array_equal(keypoints, np.arange(63).reshape(21, 3) / 64 - 0.5, strict=False)
    assert keypoints.dtype == np.float32
