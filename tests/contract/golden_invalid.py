"""Bytes that must be refused: with which code, and which field the sentence must name."""

from collections.abc import Iterator
from typing import Any

from .golden_files import Golden, pack, start
from .golden_messages import PNG, Map, estimate, estimate_reply, events, request


def invalid_requests() -> Iterator[Golden]:
    """Bodies that the daemon answers with a refusal."""
    for name, (body, names) in _broken_bodies().items():
        yield _refused(name, body, names, request_id=None)
    hello = request("hello", id=7)
    yield _refused("version_2", pack({**hello, "v": 2}), "v", request_id=7, code="unsupported_version")
    bare = {"op": "hello", "id": 7}
    yield _refused("version_missing", pack(bare), "v", request_id=7, code="unsupported_version")
    yield _refused("op_missing", pack({"id": 7, "v": 1}), "op", request_id=7)
    yield _refused("op_unknown", pack(request("dance", id=7)), "op", request_id=7)
    yield _refused("deep_is_integer", pack(request("ping", id=7, deep=1)), "deep", request_id=7)
    for name, (fields, names) in _wrong_fields().items():
        yield _refused(name, pack({**estimate(), **fields}), names, request_id=6)
    for name, (fields, names) in _wrong_hands().items():
        hand = _changed({"crop": PNG, "side": "left"}, fields)
        yield _refused(name, pack(estimate(hands=[hand])), names, request_id=6)
    for field in ("source", "frame", "captured_at_ns", "hands"):
        yield _refused(f"{field}_missing", pack(_changed(estimate(), {field: "(missing)"})), field, request_id=6)


def _changed(message: Map, changes: Map) -> Map:
    """The message with other values, or without those that shall be missing."""
    return {key: value for key, value in {**message, **changes}.items() if value != "(missing)"}


def _broken_bodies() -> dict[str, tuple[bytes, str]]:
    hello = pack(request("hello", id=7))
    return {
        "empty_body": (b"", "not a request"),
        "not_msgpack": (b"\xc1", "not a request"),
        "cut_short": (hello[:-1], "not a request"),
        "something_after": (hello + b"\0", "not a request"),
        "array_for_map": (pack(["hello", 7, 1]), "not a request"),
        "integer_key": (b"\x84\1\2" + hello[1:], "not a request"),
        "deeply_nested": (b"\x82\xa1x" + b"\x91" * 20_000, "not a request"),
        "claims_4294967295_fields": (b"\xdf\xff\xff\xff\xff", "not a request"),
        "id_is_string": (pack({**request("hello", id=7), "id": "7"}), "id"),
        "id_is_bool": (pack({**request("hello", id=7), "id": True}), "id"),
        "id_is_negative": (pack(request("hello", id=-1)), "id"),
        "id_too_large": (pack(request("hello", id=2**53 + 1)), "id"),
        "id_missing": (pack({"op": "hello", "v": 1}), "id"),
    }


def _wrong_fields() -> dict[str, tuple[Map, str]]:
    boxed = [{"crop": PNG, "side": "left", "box": [1.0, 2.0, 3.0]}]
    return {
        "source_empty": ({"source": ""}, "source"),
        "source_too_long": ({"source": "x" * 65}, "source"),
        "source_with_nul": ({"source": "a\0b"}, "source"),
        "source_is_binary": ({"source": b"cam"}, "source"),
        "frame_is_negative": ({"frame": -1}, "frame"),
        "frame_too_large": ({"frame": 2**53 + 1}, "frame"),
        "captured_at_ns_is_float": ({"captured_at_ns": 1.5}, "captured_at_ns"),
        "captured_at_ns_too_large": ({"captured_at_ns": 2**63}, "captured_at_ns"),
        "hands_empty": ({"hands": []}, "hands"),
        "hands_9": ({"hands": [{"crop": PNG, "side": "left"}] * 9}, "hands"),
        "hands_is_map": ({"hands": {"crop": PNG, "side": "left"}}, "hands"),
        "deadline_ms_is_negative": ({"deadline_ms": -0.5}, "deadline_ms"),
        "deadline_ms_is_nan": ({"deadline_ms": float("nan")}, "deadline_ms"),
        "deadline_ms_is_infinite": ({"deadline_ms": float("inf")}, "deadline_ms"),
        "publish_is_integer": ({"publish": 0}, "publish"),
        "want_unknown": ({"want": ["keypoints", "colour"]}, "want"),
        "want_5": ({"want": ["mano"] * 5}, "want"),
        "image_size_is_zero": ({"image_size": [0, 720]}, "image_size"),
        "image_size_of_3": ({"image_size": [1280, 720, 3]}, "image_size"),
        "intrinsics_not_finite": ({"intrinsics": [900.0, 900.0, float("inf"), 1.0]}, "intrinsics"),
        "intrinsics_without_focal_length": ({"intrinsics": [0.0, 900.0, 1.0, 1.0]}, "intrinsics"),
        "mirrored_box_without_image_size": ({"mirrored": True, "hands": boxed}, "image_size"),
    }


def _wrong_hands() -> dict[str, tuple[Map, str]]:
    return {
        "crop_missing": ({"crop": "(missing)"}, "crop"),
        "crop_too_short": ({"crop": b"\7" * 12}, "crop"),
        "crop_is_string": ({"crop": "pixels"}, "crop"),
        "crop_codec_unknown": ({"crop": {"codec": "gif", "data": b"GIF89a"}}, "codec"),
        "crop_data_empty": ({"crop": {"codec": "png", "data": b""}}, "data"),
        "crop_data_missing": ({"crop": {"codec": "png"}}, "data"),
        "side_missing": ({"side": "(missing)"}, "side"),
        "side_unknown": ({"side": "Left"}, "side"),
        "side_score_above_1": ({"side_score": 1.5}, "side_score"),
        "score_is_negative": ({"score": -0.5}, "score"),
        "score_is_nan": ({"score": float("nan")}, "score"),
        "score_is_bool": ({"score": True}, "score"),
        "box_of_2": ({"box": [1.0, 2.0]}, "box"),
        "box_not_finite": ({"box": [float("nan"), 2.0, 3.0]}, "box"),
        "box_without_size": ({"box": [1.0, 2.0, 0.0]}, "box"),
        "track_is_negative": ({"track": -1}, "track"),
    }


def _refused(name: str, body: bytes, names: str, *, request_id: int | None, code: str = "bad_request") -> Golden:
    about = {"kind": "request", "valid": False, "code": code, "id": request_id, "names": names}
    return Golden(f"invalid/{name}", body, about)


def invalid_answers() -> Iterator[Golden]:
    """Replies and events that a client must not take for sound."""
    topic, event = events()["joints_event"]
    body = pack(event)
    yield _malformed("event_without_nul", "event", b"joints/cam", "NUL")
    yield _malformed("event_without_body", "event", start(topic), "truncated")
    yield _malformed("event_topic_not_utf8", "event", b"\xff\0" + body, "utf-8")
    for name, (keypoints, names) in _wrong_arrays(event["hands"][0]["keypoints"]).items():
        hand = {**event["hands"][0], "keypoints": keypoints}
        wrong = start(topic) + pack({**event, "hands": [hand]})
        yield _malformed(f"event_{name}", "event", wrong, names)
    reply = estimate_reply([{"side": "right"}], seq=1)
    for name, changed in (("version_2", {"v": 2}), ("version_missing", {"v": "(missing)"})):
        yield _malformed(f"event_{name}", "event", start(topic) + pack(_changed(event, changed)), "v")
        yield _malformed(f"reply_{name}", "reply", pack(_changed(reply, changed)), "v")
    yield _malformed("reply_without_hands", "reply", pack({**reply, "hands": None}), "hands")
    yield _malformed("reply_not_ok", "reply", pack({**reply, "ok": False}), "ok")
    yield _malformed("reply_without_epoch", "reply", pack(_changed(reply, {"epoch": "(missing)"})), "epoch")


def _wrong_arrays(keypoints: Map) -> dict[str, tuple[Any, str]]:
    return {
        "keypoints_float64": ({**keypoints, "dtype": "<f8", "data": keypoints["data"] * 2}, "dtype"),
        "keypoints_big_endian": ({**keypoints, "dtype": ">f4"}, "dtype"),
        "keypoints_one_byte_short": ({**keypoints, "data": keypoints["data"][:-1]}, "data"),
        "keypoints_transposed": ({**keypoints, "shape": [3, 21]}, "keypoints"),
        "keypoints_as_list": ([[0.0, 0.0, 0.0]] * 21, "keypoints"),
        "keypoints_shape_negative": ({**keypoints, "shape": [-21, -3]}, "shape"),
    }


def _malformed(name: str, kind: str, data: bytes, names: str) -> Golden:
    return Golden(f"invalid/{name}", data, {"kind": kind, "valid": False, "names": names})
