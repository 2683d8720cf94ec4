"""The same messages in other bytes: valid, but not what a canonical writer writes."""

import struct
from collections.abc import Iterator
from typing import Any

from .golden_files import Golden, canonical, pack, start
from .golden_messages import Map, estimate, estimate_full, events, replies, request


def other_forms() -> Iterator[Golden]:
    """By what is different about them."""
    ping, full = request("ping", id=4, deep=True), estimate_full()
    yield _other("ping_long_forms", "request", ping, data=_long_form(ping))
    yield _other("ping_other_order", "request", ping, as_written=dict(reversed(ping.items())))
    unknown = {"since": 2, "also": {"nested": [None, 1.5, b"\1"]}}
    yield _other("ping_unknown_fields", "request", ping, as_written={**unknown, **ping, "last": [[]]})
    shallow = request("ping", id=3)
    yield _other("ping_default_written", "request", shallow, as_written={**shallow, "deep": False})
    yield _other("estimate_long_forms", "request", full, data=_long_form(full))
    yield _other("estimate_float32", "request", full, data=pack(full, short_floats=True))
    whole_numbers: Map = {
        "hands": [{**estimate()["hands"][0], "score": 1.0, "box": [320.0, 240.0, 180.0]}],
        "deadline_ms": 33.0,
        "intrinsics": [910.0, 911.0, 640.0, 360.0],
    }
    as_integers = estimate(**_as_integers(whole_numbers))
    yield _other("estimate_integers_for_floats", "request", estimate(**whole_numbers), as_written=as_integers)
    defaults = {"deadline_ms": None, "publish": True, "want": None, "image_size": None, "intrinsics": None}
    nils = [{**estimate()["hands"][0], "side_score": None, "score": None, "box": None, "track": None}]
    explicit = {**estimate(hands=nils), **defaults, "mirrored": False}
    yield _other("estimate_defaults_written", "request", estimate(), as_written=explicit)
    reply = replies()["estimate_reply_keypoints"]
    yield _other("estimate_reply_long_forms", "reply", reply, data=_long_form(reply))
    hand = reply["hands"][0]
    nil_hand = {**hand, "vertices": None, "mano": None, "later": {"x": 1}}
    yield _other("estimate_reply_later_fields", "reply", reply, as_written={**reply, "hands": [nil_hand], "new": 1})
    refusal = replies()["refusal_busy"]
    later = {**refusal, "error": {**refusal["error"], "wait_ms": 8}}
    yield _other("refusal_busy_later_fields", "reply", refusal, as_written=later)
    topic, event = events()["joints_event"]
    written = {"new": [1], **dict(reversed(event.items()))}
    yield _other("joints_event_other_order", "event", event, as_written=written, topic=topic)
    topic, event = events()["state_event"]
    yield _other("state_event_long_forms", "event", event, data=_long_form(event), topic=topic)


def _other(
    name: str,
    kind: str,
    message: Map,
    *,
    data: bytes | None = None,
    as_written: Map | None = None,
    topic: str | None = None,
) -> Golden:
    usual = canonical(name, kind, message, topic=topic)
    about = {**usual.about, "canonical": False}
    if as_written is not None:
        about["as_written"] = as_written
    return Golden(name, start(topic) + (data or pack(as_written)), about)


def _as_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_integers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_integers(each) for each in value]
    return int(value) if isinstance(value, float) else value


def _long_form(value: Any) -> bytes:
    """A value with every integer and every length in the longest form that MessagePack has."""
    match value:
        case bool() | None | float():
            return pack(value)
        case int():
            return struct.pack(">Bq", 0xD3, value) if value < 2**63 else struct.pack(">BQ", 0xCF, value)
        case str():
            return struct.pack(">BI", 0xDB, len(value.encode())) + value.encode()
        case bytes():
            return struct.pack(">BI", 0xC6, len(value)) + value
        case list():
            return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(_long_form, value))
        case dict():
            pairs = b"".join(_long_form(key) + _long_form(each) for key, each in value.items())
            return struct.pack(">BI", 0xDF, len(value)) + pairs
    raise TypeError(type(value).__name__)
