"""One of each message of PROTOCOL.md, as the maps that go on the wire, fields in its order. Imports nothing of ours."""

import struct
from typing import Any

Map = dict[str, Any]

_CAPTURED_AT_NS = 5_000_000_000_123
_RECEIVED_AT_NS = 5_000_004_000_000
_PUBLISHED_AT_NS = 5_000_031_000_000
_LIMITS = {"max_hands": 8, "max_request_bytes": 1_638_400, "crop_bytes": 196_608, "max_source_length": 64}
_EPOCH = "9f86d081884c7d65"
_VERSIONS = [1, 1]
_FINGERS = ("index", "middle", "ring", "little")

_JOINTS = ["wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"] + [
    f"{finger}_{part}" for finger in _FINGERS for part in ("mcp", "pip", "dip", "tip")
]
_ROTATIONS = (
    ["wrist"]
    + [f"{finger}_{part}" for finger in ("index", "middle", "little", "ring") for part in ("mcp", "pip", "dip")]
    + ["thumb_cmc", "thumb_mcp", "thumb_ip"]
)

# Only their marks: no image. What the daemon thinks of the pixels is not the codec's business.
_JPEG = {"codec": "jpeg", "data": bytes.fromhex("ffd8ffd9")}
PNG = {"codec": "png", "data": bytes.fromhex("89504e470d0a1a0a")}


def requests() -> dict[str, Map]:
    """By name; every operation."""
    return {
        "hello": request("hello", id=1),
        "hello_largest_id": request("hello", id=2**53),
        "status": request("status", id=2),
        "ping": request("ping", id=3),
        "ping_deep": request("ping", id=4, deep=True),
        "topology": request("topology", id=5),
        "estimate_raw": estimate(hands=[{"crop": b"\x07" * 196_608, "side": "right"}]),
        "estimate_full": estimate_full(),
        "estimate_nothing_wanted": estimate(want=[], publish=False),
    }


def request(op: str, *, id: int, **fields: Any) -> Map:  # noqa: A002 - the wire's word
    """A request of any operation."""
    return {"op": op, "id": id, "v": 1, **fields}


def estimate(*, hands: list[Map] | None = None, **fields: Any) -> Map:
    """An `estimate`, of one hand unless told otherwise, with what fields are given."""
    head = {"source": "cam", "frame": 0, "captured_at_ns": _CAPTURED_AT_NS}
    # options in the order of the document, which is the order of a canonical writer
    order = ("deadline_ms", "publish", "want", "image_size", "intrinsics", "mirrored")
    options = {name: fields.pop(name) for name in order if name in fields}
    hands = [{"crop": PNG, "side": "right"}] if hands is None else hands
    return {**request("estimate", id=6), **head, "hands": hands, **options, **fields}


def estimate_full() -> Map:
    """An `estimate` that leaves nothing out."""
    left = {"crop": _JPEG, "side": "left", "side_score": 0.875, "score": 0.5, "box": [320.5, 240.25, 180.0], "track": 7}
    right = {"crop": PNG, "side": "right", "side_score": 1.0, "score": 0.0, "box": [-12.0, 700.0, 1.0], "track": 0}
    return estimate(
        hands=[left, right],
        source="Küche/2",
        frame=41,
        deadline_ms=33.5,
        publish=False,
        want=["keypoints", "vertices", "camera", "mano"],
        image_size=[1280, 720],
        intrinsics=[910.5, 911.0, 640.0, 360.0],
        mirrored=True,
    )


# Replies


def replies() -> dict[str, Map]:
    """By name; every reply and every refusal."""
    return {
        "hello_reply": _hello_reply("ready", _MODEL),
        "hello_reply_loading": _hello_reply("loading", None),
        "status_reply": _status_reply(),
        "status_reply_loading": _status_reply_loading(),
        "pong_reply": {**_answer(3), "clocks": _CLOCKS, "deep": False},
        "pong_reply_deep": {**_answer(4), "clocks": _CLOCKS, "deep": True},
        "topology_reply": _topology_reply(),
        "estimate_reply": estimate_reply([_hand("right", box=False), _hand("left", box=True)], seq=17),
        "estimate_reply_keypoints": estimate_reply([_only(_hand("right", box=True), "keypoints")], seq=None),
        "estimate_reply_nothing_wanted": estimate_reply([{"side": "right"}], seq=None),
        **{f"refusal_{code}": _refusal(7, code, text, again) for code, (text, again) in _REFUSALS.items()},
        "refusal_without_id": _refusal(None, "bad_request", "not a request: Input data was truncated", again=False),
    }


_MODEL = {
    "name": "wilor",
    "trained": True,
    "width": 1280,
    "depth": 32,
    "heads": 16,
    "dtype": "float16",
    "licence": "CC-BY-NC-ND-4.0; MANO",
    "source_sha256": "00" * 32,
}
_CLOCKS = {"monotonic_ns": 5_000_000_000_000, "wall_ns": 1_800_000_000_000_000_000}
_TIMING = {"received_at_ns": _RECEIVED_AT_NS, "queue_ms": 0.125, "model_ms": 25.5, "total_ms": 26.0, "batch": 2}

_REFUSALS = {
    "bad_request": ("source: expected a length of 1 to 64, got 0", False),
    "unsupported_version": ("v: expected 1, got 2", False),
    "too_large": ("body: expected at most 1638400 bytes, got 1638401", False),
    "loading": (
        "warming: running every batch size once, which can take minutes where kernels are compiled for the first time",
        True,
    ),
    "busy": ("8 crops wait and 8 may", True),
    "superseded": ("frame 42 of the same source is newer", False),
    "expired": ("the frame is 41.7 ms old, deadline_ms is 33.5", False),
    "engine_error": ("the network's camera is not finite", True),
    "draining": ("draining: asked to stop", True),
    "internal": ("the daemon made a mistake; its log says more", False),
}


def _answer(request_id: int) -> Map:
    return {"id": request_id, "ok": True, "v": 1}


def _refusal(request_id: int | None, code: str, message: str, again: bool) -> Map:
    error: Map = {"code": code, "message": message, "retryable": again}
    if code == "unsupported_version":
        error["protocol"] = _VERSIONS
    return {"id": request_id, "error": error, "ok": False, "v": 1}


def _hello_reply(state: str, model: Map | None) -> Map:
    return {
        **_answer(1),
        "server": "wilor-sidecar 0.1.0",
        "protocol": _VERSIONS,
        "epoch": _EPOCH,
        "state": state,
        "model": model,
        "limits": _LIMITS,
        "endpoints": {"requests": "ipc:///run/w/requests", "events": "ipc:///run/w/events"},
        "clocks": _CLOCKS,
        "joint_names": _JOINTS,
    }


def _status_reply() -> Map:
    stage = {"p50": 25.5, "p95": 31.0, "p99": 40.25, "count": 1024}
    return {
        **_answer(2),
        "server": "wilor-sidecar 0.1.0",
        "epoch": _EPOCH,
        "pid": 4242,
        "state": "ready",
        "reason": "serving wilor (1280 x 32, float16) on gpu",
        "live": True,
        "ready": True,
        "model_ready": True,
        "uptime_s": 61.5,
        "model": _MODEL,
        "device": {"name": "gpu", "blas": "", "gflops": 2750.5, "mlx": "0.32.4"},
        "memory": {"active": 1_270_000_000, "cache": 0, "peak": 1_500_000_000, "process_peak": 1_900_000_000},
        "queue": {"waiting_crops": 2, "waiting_limit": 8, "running_crops": 1},
        "counters": {"requests_estimate": 3, "answered_estimate": 2, "refused_busy": 1},
        "latency_ms": {"queue": stage, "model": stage, "total": stage},
        "subscriptions": ["hands/cam", "state"],
        "limits": _LIMITS,
        "process": {
            "resident": 1_600_000_000,
            "cpu_s": 12.5,
            "threads": 9,
            "open_files": 31,
            "open_files_limit": 8192,
        },
        "versions": {"python": "3.11.9", "mlx": "0.32.4"},
    }


def _status_reply_loading() -> Map:
    nothing: Map = {
        "model": None,
        "device": None,
        "memory": None,
        "counters": {},
        "latency_ms": {},
        "subscriptions": [],
    }
    queue = {"waiting_crops": 0, "waiting_limit": 8, "running_crops": 0}
    why = {"state": "loading", "reason": "reading and checking the weights", "uptime_s": 0.25}
    why |= {"ready": False, "model_ready": False}
    return {**_status_reply(), **why, **nothing, "queue": queue}


def _topology_reply() -> Map:
    return {
        **_answer(5),
        "faces": {"dtype": "<i4", "shape": [1538, 3], "data": struct.pack("<3i", 0, 1, 2) * 1538},
        "joint_names": _JOINTS,
        "joint_parents": [-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19],
        "rotation_names": _ROTATIONS,
        "rotation_parents": [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14],
    }


def estimate_reply(hands: list[Map], *, seq: int | None) -> Map:
    """The answer to an `estimate`."""
    return {**_answer(6), "seq": seq, "epoch": _EPOCH, "hands": hands, "timing": _TIMING}


def _floats(*shape: int, first: float) -> Map:
    """An array whose numbers rise by 1/64 from `first`: exact in float32, and in disorder if read column by column."""
    count = 1
    for size in shape:
        count *= size
    data = struct.pack(f"<{count}f", *(first + i / 64 for i in range(count)))
    return {"dtype": "<f4", "shape": list(shape), "data": data}


def _hand(side: str, *, box: bool) -> Map:
    """A complete hand; with a box, its place in the whole image and what the detector said, too."""
    said = {"side_score": 0.875, "score": 0.5, "track": 7} if box else {}
    place = (
        {"keypoints_2d": _floats(21, 2, first=100), "translation": _floats(3, first=0.5), "focal_px": 25_000.0}
        if box
        else {}
    )
    return {
        "side": side,
        **said,
        "keypoints": _floats(21, 3, first=-0.5),
        "vertices": {"dtype": "<f4", "shape": [778, 3], "data": struct.pack("<3f", 0.25, -0.5, 1.0) * 778},
        "camera": _floats(3, first=0.75),
        **place,
        "mano": {
            "global_orient": _floats(1, 3, first=-1),
            "hand_pose": _floats(15, 3, first=-0.25),
            "betas": _floats(10, first=0),
        },
    }


def _only(hand: Map, *parts: str) -> Map:
    return {name: hand[name] for name in ("side", "side_score", "score", "track", *parts)}


# Events


def events() -> dict[str, tuple[str, Map]]:
    """By name, topic and map; every event."""
    hands = [_hand("left", box=True), _hand("right", box=True)]
    small = [{name: part for name, part in hand.items() if name not in ("vertices", "mano")} for hand in hands]
    return {
        "hands_event": ("hands/cam", _hands_event("cam", hands)),
        "joints_event": ("joints/cam", _hands_event("cam", small)),
        "joints_event_other_source": ("joints/Küche/2", _hands_event("Küche/2", small[:1])),
        "state_event": ("state", _state_event("ready", "serving wilor (1280 x 32, float16) on gpu", _MODEL)),
        "state_event_loading": ("state", _state_event("loading", "reading and checking the weights", None)),
        "joints_event_resumed": ("joints/cam", {**_hands_event("cam", small), "resumed": 2}),
        "state_event_resumed": ("state", {**_state_event("ready", "the host slept for 8 h", _MODEL), "resumed": 2}),
    }


def _hands_event(source: str, hands: list[Map]) -> Map:
    return {
        "seq": 17,
        "epoch": _EPOCH,
        "source": source,
        "frame": 41,
        "captured_at_ns": _CAPTURED_AT_NS,
        "published_at_ns": _PUBLISHED_AT_NS,
        "timing": _TIMING,
        "model": "wilor",
        "hands": hands,
        "v": 1,
    }


def _state_event(state: str, reason: str, model: Map | None) -> Map:
    head = {"seq": 4, "epoch": _EPOCH, "published_at_ns": _PUBLISHED_AT_NS}
    return {**head, "state": state, "reason": reason, "model": model, "v": 1}
