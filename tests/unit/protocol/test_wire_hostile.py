"""Whatever bytes come, the codec answers with a refusal or a malformed message: never another error, and cheaply."""

import contextlib
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.hostile_messages import maps, mutated, near_requests

from wilor_protocol.codec import (
    MalformedError,
    decode_event,
    decode_message,
    decode_reply_head,
    decode_request,
    encode,
)
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.replies import EstimateReply, HelloReply, PongReply, RefusalReply, StatusReply, TopologyReply
from wilor_protocol.requests import AnyRequest

_REPLIES = (HelloReply, StatusReply, PongReply, TopologyReply, EstimateReply, RefusalReply)


def _check_request(body: bytes) -> None:
    try:
        read: AnyRequest | Refusal = decode_request(body)
    except Refusal as refusal:
        read = refusal
    if isinstance(read, Refusal):
        assert read.error.code in (ErrorCode.BAD_REQUEST, ErrorCode.UNSUPPORTED_VERSION)
        assert read.request_id is None or 0 <= read.request_id <= 2**53
    else:
        assert decode_request(encode(read)) == read


def _check_answers(body: bytes) -> None:
    readers: list[Callable[[bytes], object]] = [decode_reply_head, decode_event]
    readers += [_reader(kind) for kind in _REPLIES]
    for read in readers:
        with contextlib.suppress(MalformedError):
            read(body)


def _reader(kind: type[Struct]) -> Callable[[bytes], object]:
    return lambda body: decode_message(body, kind)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read(data: bytes) -> None:
    """No bytes raise anything but the errors that the readers declare."""
    _check_request(data)
    _check_answers(data)
    _check_answers(b"joints/cam\0" + data)
    _check_answers(b"state\0" + data)


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_damaged_messages_are_refused_or_read(data: bytes) -> None:
    """A damaged golden message is refused, or is another sound message."""
    _check_request(data)
    _check_answers(data)


@settings(max_examples=150, deadline=None)
@given(maps | near_requests)
def test_any_map_is_refused_or_read(message: dict[str, Any]) -> None:
    """Well-formed maps of the wrong things in the right places are refused, or are requests."""
    body = msgspec.msgpack.encode(message)
    _check_request(body)
    _check_answers(body)
    _check_answers(b"hands/cam\0" + body)


_MANY = 1 << 20
_EMPTY_MAPS = b"\xdd" + _MANY.to_bytes(4, "big") + b"\x80" * _MANY
_EMPTY_ARRAYS = b"\xdd" + _MANY.to_bytes(4, "big") + b"\x90" * _MANY
_REPEATED_KEYS = b"\xdf" + (_MANY // 3).to_bytes(4, "big") + b"\xa1x\x80" * (_MANY // 3)
_BOMBS = {"maps": _EMPTY_MAPS, "arrays": _EMPTY_ARRAYS, "map of maps": _REPEATED_KEYS}
_FIELDS = ("unknown", "op", "id", "v", "source", "frame", "captured_at_ns", "hands", "want", "image_size", "intrinsics")

_HEAD = {"op": "estimate", "id": 1, "v": 1, "source": "cam", "frame": 1, "captured_at_ns": 1}


def _body(field: str, raw: bytes) -> bytes:
    """An `estimate` that lacks only hands, with these bytes as one field's value."""
    fields: dict[str, object] = {**_HEAD, field: msgspec.Raw(raw)}
    return msgspec.msgpack.encode(fields)


def _hand_body(field: str, raw: bytes) -> bytes:
    hand: dict[str, object] = {"crop": {"codec": "png", "data": b"\1"}, "side": "left", field: msgspec.Raw(raw)}
    return msgspec.msgpack.encode({**_HEAD, "hands": [hand]})


@contextmanager
def _builds_nothing() -> Iterator[None]:
    """What is built meanwhile takes less than a quarter of a megabyte."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**18


def _refused_cheaply(body: bytes) -> None:
    with _builds_nothing(), pytest.raises(Refusal):
        decode_request(body)


@pytest.mark.parametrize("bomb", _BOMBS)
@pytest.mark.parametrize("field", _FIELDS)
def test_a_million_empty_values_build_nothing(field: str, bomb: str) -> None:
    """A megabyte that generic reading turns into 90 MB is refused, or skipped, without being built."""
    _refused_cheaply(_body(field, _BOMBS[bomb]))


@pytest.mark.parametrize("bomb", _BOMBS)
@pytest.mark.parametrize("field", ["crop", "side", "score", "box", "track"])
def test_a_million_empty_values_in_a_hand_build_nothing(field: str, bomb: str) -> None:
    """The same holds inside a hand."""
    _refused_cheaply(_hand_body(field, _BOMBS[bomb]))


def test_forty_thousand_small_hands_build_nothing() -> None:
    """Nine hands are too many already: the rest of a long row is not built before the row is refused."""
    hand: dict[str, object] = {"crop": {"codec": "png", "data": b"\1"}, "side": "left"}
    _refused_cheaply(_body("hands", msgspec.msgpack.encode([hand] * 40_000)))


def test_a_sound_request_with_a_million_unknown_values_is_read() -> None:
    """An unknown field is skipped, whatever it holds."""
    body = _hand_body("later", _EMPTY_MAPS)
    with _builds_nothing():
        assert decode_request(body)


@pytest.mark.parametrize("opener", [b"\x91", b"\x81\xa1x", b"\xdd\0\0\0\1", b"\xdf\0\0\0\1\xa1x"], ids=repr)
@pytest.mark.parametrize("field", ["unknown", "hands", "source", "id"])
def test_deep_nesting_is_refused(field: str, opener: bytes) -> None:
    """A value nested a hundred thousand levels deep is refused: it does not exhaust the stack."""
    for body in (_body(field, opener * 100_000 + b"\xc0"), _body(field, opener * 100_000)):
        with pytest.raises(Refusal) as caught:
            decode_request(body)
        assert caught.value.error.code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("field", ["keypoints", "unknown"])
def test_deep_nesting_in_an_event_is_malformed(field: str) -> None:
    """The same holds for what a client reads, inside an array too."""
    hand: dict[str, object] = {"side": "left", field: msgspec.Raw(b"\x91" * 100_000 + b"\xc0")}
    with pytest.raises(MalformedError):
        decode_event(b"joints/cam\0" + msgspec.msgpack.encode({"hands": [hand]}))


def test_moderate_nesting_in_an_unknown_field_is_skipped() -> None:
    """Sixty-four levels, as PROTOCOL.md allows, are read over."""
    assert decode_request(_hand_body("later", b"\x91" * 64 + b"\xc0"))


def test_an_extension_in_an_unknown_field_is_skipped() -> None:
    """Types that the protocol does not use are no reason to refuse what is not read."""
    assert decode_request(_hand_body("later", b"\xd6\xff\0\0\0\0"))


@pytest.mark.parametrize("claim", [b"\xdd", b"\xdf", b"\xc6", b"\xdb"])
def test_a_claim_of_four_billion_elements_is_refused(claim: bytes) -> None:
    """A length that the body does not have is refused at once, and nothing is set aside for it."""
    for field in ("hands", "source", "unknown"):
        _refused_cheaply(_body(field, claim + b"\xff" * 4))


def test_a_topic_of_a_megabyte_is_malformed() -> None:
    """The NUL byte is looked for where a topic can end, not in the whole frame."""
    with pytest.raises(MalformedError, match="NUL"):
        decode_event(b"x" * _MANY + b"\0\x80")
