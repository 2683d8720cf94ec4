"""Bytes to messages and back. Nothing else in the project reads or writes MessagePack.

What comes in is decoded straight into declared types with limits: an unknown field is skipped without being built,
a wrong one is refused by name, and no request can make its reader build more than its type allows.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from wilor_protocol.arrays import array_from_wire, numpy_to_wire
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.events import STATE_TOPIC, AnyEvent, HandsEvent, StateEvent
from wilor_protocol.limits import MAX_INTEGER
from wilor_protocol.replies import ReplyHead
from wilor_protocol.requests import AnyRequest
from wilor_protocol.version import PROTOCOL_VERSION

T = TypeVar("T", bound=Struct)


class MalformedError(ValueError):
    """Bytes that are no message of this protocol; the text says why."""


class _RequestHead(Struct, frozen=True):
    """What can be read of any version's request, to answer it in a way that its sender can match."""

    id: int | None = None
    v: int | None = None


_encoder = msgspec.msgpack.Encoder(enc_hook=numpy_to_wire)
_request_head_decoder = msgspec.msgpack.Decoder(_RequestHead)
_request_decoder: msgspec.msgpack.Decoder[AnyRequest] = msgspec.msgpack.Decoder(AnyRequest)

# RecursionError: nesting deeper than the reader follows. It is raised before anything is built.
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def encode(message: Struct) -> bytes:
    """The bytes of a message: fields in declared order, integers and lengths in their shortest form."""
    return _encoder.encode(message)


def decode_request(body: bytes) -> AnyRequest:
    """The request in a body.

    Raises:
        Refusal: `unsupported_version`, or `bad_request` with a sentence that names the field, what came and what was
            expected. It bears the request's id where one could be read.
    """
    head = _read_request_head(body)
    if head.v != PROTOCOL_VERSION:
        raise Refusal(
            ErrorCode.UNSUPPORTED_VERSION,
            f"v: expected {PROTOCOL_VERSION}, got {'none' if head.v is None else head.v}",
            request_id=head.id,
        )
    try:
        return _request_decoder.decode(body)
    except _UNREADABLE as error:
        raise Refusal(ErrorCode.BAD_REQUEST, str(error), request_id=head.id) from error


def _read_request_head(body: bytes) -> _RequestHead:
    try:
        head = _request_head_decoder.decode(body)
    except _UNREADABLE as error:
        raise Refusal(ErrorCode.BAD_REQUEST, f"not a request: {error}") from error
    if head.id is not None and not 0 <= head.id <= MAX_INTEGER:
        raise Refusal(ErrorCode.BAD_REQUEST, f"id: expected a number from 0 to {MAX_INTEGER}, got {head.id}")
    return head


def decode_message(body: bytes | memoryview, message_type: type[T]) -> T:
    """The message of a known type in a body.

    Raises:
        MalformedError: it is not one.
    """
    try:
        return msgspec.msgpack.decode(body, type=message_type, dec_hook=array_from_wire)
    except _UNREADABLE as error:
        raise MalformedError(f"not a {message_type.__name__}: {error}") from error


def decode_reply_head(body: bytes) -> ReplyHead:
    """Whether a reply is an answer or a refusal, and to which request."""
    return decode_message(body, ReplyHead)


def encode_event(topic: str, event: AnyEvent) -> bytes:
    """The one frame of an event."""
    return subscription(topic) + encode(event)


def decode_event(frame: bytes) -> tuple[str, AnyEvent]:
    """Topic and event of a frame.

    Raises:
        MalformedError: no NUL byte, a topic that is not UTF-8, or not the map that the topic promises.
    """
    topic_bytes, nul, _ = frame[:1024].partition(b"\0")
    if not nul:
        raise MalformedError("not an event: no NUL byte ends its topic")
    try:
        topic = topic_bytes.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"not an event: {error}") from error
    body = memoryview(frame)[len(topic_bytes) + 1 :]
    if topic == STATE_TOPIC:
        return topic, decode_message(body, StateEvent)
    return topic, decode_message(body, HandsEvent)


def subscription(topic: str) -> bytes:
    """What to subscribe to for exactly this topic: ZeroMQ compares prefixes, so the NUL byte belongs to it."""
    return topic.encode() + b"\0"
