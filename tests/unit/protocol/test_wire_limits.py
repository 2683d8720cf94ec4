"""Each field of a request takes what PROTOCOL.md allows, to the last value, and refuses the next by name."""

from typing import Any

import msgspec
import pytest

from wilor_protocol import limits
from wilor_protocol.codec import decode_request
from wilor_protocol.errors import ErrorCode, Refusal
from wilor_protocol.requests import (
    AnyRequest,
    EncodedImage,
    EstimateRequest,
    HandCrop,
    HelloRequest,
    PingRequest,
    StatusRequest,
)

_NAN, _INFINITY = float("nan"), float("inf")
_PNG: dict[str, Any] = {"codec": "png", "data": b"\x89PNG"}
_BOXED = [{"crop": _PNG, "side": "right", "box": [5.0, 6.0, 7.0]}]

Case = tuple[str, Any]

_TAKEN: list[Case] = [
    ("id", 0),
    ("id", 2**53),
    ("source", "x"),
    ("source", "x" * 64),
    ("source", "手" * 64),
    ("source", "a/b c"),
    ("frame", 0),
    ("frame", 2**53),
    ("captured_at_ns", 0),
    ("captured_at_ns", 2**63 - 1),
    ("hands", [{"crop": _PNG, "side": "left"}] * 8),
    ("deadline_ms", 0),
    ("deadline_ms", 60_000.0),
    ("deadline_ms", None),
    ("publish", False),
    ("want", []),
    ("want", ["mano"] * 4),
    ("want", None),
    ("image_size", [1, 1]),
    ("image_size", [65_536, 65_536]),
    ("intrinsics", [1, 1e7, -1_048_576, 1_048_576]),
    ("mirrored", True),
]
_HAND_TAKEN: list[Case] = [
    ("crop", b"\0" * 196_608),
    ("crop", {"codec": "jpeg", "data": b"\0"}),
    ("crop", {"codec": "png", "data": b"\0" * 196_608}),
    ("side", "right"),
    ("side_score", 0),
    ("side_score", 1.0),
    ("score", 0.0),
    ("score", 1),
    ("score", None),
    ("box", [-1e6, 1e6, 1.0]),
    ("box", [0, 0, 1_048_576]),
    ("track", 0),
    ("track", 2**53),
]

# Refused by the message itself, in the same words when a client builds it.
_BAD: list[Case] = [
    ("id", -1),
    ("id", 2**53 + 1),
    ("source", ""),
    ("source", "x" * 65),
    ("source", "a\0b"),
    ("source", "a\nb"),
    ("source", "a\x7fb"),
    ("source", "a\u2028b"),
    ("frame", -1),
    ("frame", 2**53 + 1),
    ("captured_at_ns", -1),
    ("captured_at_ns", 2**63),
    ("captured_at_ns", 2**64 - 1),
    ("hands", []),
    ("deadline_ms", -0.001),
    ("deadline_ms", 60_000.001),
    ("deadline_ms", _NAN),
    ("deadline_ms", _INFINITY),
    ("image_size", [0, 1]),
    ("image_size", [1, 65_537]),
    ("image_size", [-1, 1]),
    ("intrinsics", [_NAN, 1.0, 1.0, 1.0]),
    ("intrinsics", [1.0, 1.0, -_INFINITY, 1.0]),
    ("intrinsics", [0.0, 1.0, 1.0, 1.0]),
    ("intrinsics", [1.0, -1.0, 1.0, 1.0]),
    ("intrinsics", [1.0, 0.999, 1.0, 1.0]),
    ("intrinsics", [1e7 + 1, 1.0, 1.0, 1.0]),
    ("intrinsics", [1.0, 1.0, 1_048_577.0, 1.0]),
]
_HAND_BAD: list[Case] = [
    ("crop", b""),
    ("crop", b"\0" * 196_607),
    ("crop", b"\0" * 196_609),
    ("side_score", -0.001),
    ("side_score", 1.001),
    ("side_score", _NAN),
    ("score", -0.001),
    ("score", 1.001),
    ("score", _INFINITY),
    ("box", [_NAN, 0.0, 1.0]),
    ("box", [0.0, _INFINITY, 1.0]),
    ("box", [0.0, 0.0, 0.0]),
    ("box", [0.0, 0.0, -1.0]),
    ("box", [0.0, 0.0, 0.999]),
    ("box", [0.0, 0.0, 1_048_577.0]),
    ("box", [-1_048_577.0, 0.0, 1.0]),
    ("track", -1),
    ("track", 2**53 + 1),
]

# Refused for its type, before there is a message.
_MISTYPED: list[Case] = [
    ("id", True),
    ("id", 1.0),
    ("id", "1"),
    ("source", b"cam"),
    ("source", None),
    ("frame", 1.0),
    ("frame", False),
    ("frame", None),
    ("captured_at_ns", "now"),
    ("captured_at_ns", 5e9),
    ("hands", {"crop": _PNG, "side": "left"}),
    ("hands", None),
    ("hands", [{"crop": _PNG, "side": "left"}] * 9),
    ("deadline_ms", "soon"),
    ("deadline_ms", True),
    ("publish", 1),
    ("publish", None),
    ("want", "mano"),
    ("want", ["colour"]),
    ("want", ["mano"] * 5),
    ("image_size", [640]),
    ("image_size", [640, 480, 3]),
    ("image_size", [640.0, 480.0]),
    ("intrinsics", [1.0, 1.0, 1.0]),
    ("intrinsics", [1.0, 1.0, 1.0, "1"]),
    ("mirrored", 0),
]
_HAND_MISTYPED: list[Case] = [
    ("crop", "pixels"),
    ("crop", [0, 0, 0]),
    ("crop", None),
    ("side", "LEFT"),
    ("side", 0),
    ("side", b"left"),
    ("side", None),
    ("side_score", "high"),
    ("score", True),
    ("box", [1.0, 2.0]),
    ("box", [1.0, 2.0, 3.0, 4.0]),
    ("box", [1.0, 2.0, "3"]),
    ("track", 1.0),
    ("track", True),
]
_IMAGE_MISTYPED: list[Case] = [("codec", "gif"), ("codec", None), ("data", "bytes"), ("data", None)]


def _short(value: object) -> str:
    return repr(value)[:24] if not isinstance(value, bytes) else f"{len(value)} bytes"


def _each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("field", "value"), cases, ids=[f"{field}={_short(value)}" for field, value in cases]
    )


def _request(**fields: Any) -> dict[str, Any]:
    hands = [{"crop": _PNG, "side": "left"}]
    head = {"op": "estimate", "id": 1, "v": 1}
    return {**head, "source": "cam", "frame": 2, "captured_at_ns": 3, "hands": hands, **fields}


def _request_of_hand(**fields: Any) -> dict[str, Any]:
    return _request(hands=[{"crop": _PNG, "side": "left", **fields}])


def _decoded(request: dict[str, Any]) -> AnyRequest:
    return decode_request(msgspec.msgpack.encode(request))


def _refusal(request: dict[str, Any]) -> str:
    """The message of the refusal, which must be `bad_request`."""
    with pytest.raises(Refusal) as caught:
        _decoded(request)
    assert caught.value.error.code is ErrorCode.BAD_REQUEST
    assert not caught.value.error.retryable
    return caught.value.error.message


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,))


@_each(_TAKEN)
def test_a_value_within_its_range_is_taken(field: str, value: Any) -> None:
    """The field arrives as it was sent."""
    sent = _request(**{field: value})
    taken = _plain(getattr(_decoded(sent), field))
    assert taken == _tuples_as_lists(value)


@_each(_HAND_TAKEN)
def test_a_hands_value_within_its_range_is_taken(field: str, value: Any) -> None:
    """The hand's field arrives as it was sent."""
    request = _decoded(_request_of_hand(**{field: value}))
    assert isinstance(request, EstimateRequest)
    assert _plain(getattr(request.hands[0], field)) == _tuples_as_lists(value)


def _tuples_as_lists(value: Any) -> Any:
    # msgspec's plain form of a tuple is a tuple
    return tuple(value) if isinstance(value, list) and value and isinstance(value[0], int | float) else value


@_each(_BAD + _MISTYPED)
def test_a_value_out_of_its_range_is_refused_by_name(field: str, value: Any) -> None:
    """The refusal names the field."""
    message = _refusal(_request(**{field: value}))
    assert message.startswith(field) or f"`$.{field}" in message


@_each(_HAND_BAD + _HAND_MISTYPED)
def test_a_hands_value_out_of_its_range_is_refused_by_name(field: str, value: Any) -> None:
    """The refusal names the hand's field, and says which hand it is."""
    message = _refusal(_request_of_hand(**{field: value}))
    assert message.startswith(field) or f"`$.hands[0].{field}" in message
    assert "$.hands[0]" in message


@_each(_IMAGE_MISTYPED)
def test_a_compressed_crop_of_other_types_is_refused_by_name(field: str, value: Any) -> None:
    """The refusal names the image's field."""
    assert f"`$.hands[0].crop.{field}`" in _refusal(_request_of_hand(crop={**_PNG, field: value}))


@pytest.mark.parametrize("size", [0, 196_609])
def test_a_compressed_crop_of_another_size_is_refused_by_name(size: int) -> None:
    """No bytes, and more than a raw crop has, are too few and too many."""
    message = _refusal(_request_of_hand(crop={"codec": "png", "data": bytes(size)}))
    assert message == f"data: expected a length of 1 to 196608, got {size} - at `$.hands[0].crop`"


@pytest.mark.parametrize("field", ["source", "frame", "captured_at_ns", "hands", "id"])
def test_a_missing_field_is_refused_by_name(field: str) -> None:
    """What has no default must be there."""
    request = {name: value for name, value in _request().items() if name != field}
    assert _refusal(request) == f"Object missing required field `{field}`"


def test_the_second_hand_is_named_as_such() -> None:
    """Of several hands the refusal says which one is wrong."""
    hands = [{"crop": _PNG, "side": "left"}, {"crop": _PNG, "side": "left", "score": 2}]
    assert _refusal(_request(hands=hands)).endswith("at `$.hands[1]`")


def test_a_box_in_a_mirrored_image_needs_the_images_size() -> None:
    """Only the width says where the box's mirror image is."""
    assert _refusal(_request(mirrored=True, hands=_BOXED)).startswith("image_size: ")
    assert _decoded(_request(mirrored=True, hands=_BOXED, image_size=[640, 480]))


@pytest.mark.parametrize("version", [None, 0, 2, -1, 2**64 - 1])
def test_another_version_is_told_which_is_spoken(version: int | None) -> None:
    """The refusal bears the id, and the range of versions spoken."""
    with pytest.raises(Refusal) as caught:
        _decoded({"op": "a later one", "id": 9, "v": version, "hands": "in another form"})
    error = caught.value.error
    assert (error.code, error.protocol, caught.value.request_id) == (ErrorCode.UNSUPPORTED_VERSION, (1, 1), 9)


def test_only_a_wrong_version_is_told_which_is_spoken() -> None:
    """Other refusals do not have the range."""
    assert Refusal(ErrorCode.BUSY, "full").error.protocol is None


def test_a_refusal_bears_the_id_of_a_request_that_is_otherwise_wrong() -> None:
    """The sender can match the refusal, although the request could not be read."""
    with pytest.raises(Refusal) as caught:
        _decoded({"id": 77, "v": 1, "op": "estimate", "hands": 3})
    assert caught.value.request_id == 77


@_each(_BAD)
def test_a_client_reads_the_daemons_words(field: str, value: Any) -> None:
    """A request out of range cannot be built, and the text is that of the refusal."""
    fields = {name: each for name, each in _request(**{field: value}).items() if name != "op"}
    hands = [HandCrop(crop=EncodedImage(**_PNG), side="left") for _ in fields["hands"]]
    with pytest.raises(ValueError, match=f"^{field}") as caught:
        EstimateRequest(**{**fields, "hands": hands})
    assert str(caught.value) == _refusal(_request(**{field: value}))


@_each(_HAND_BAD)
def test_a_client_reads_the_daemons_words_of_a_hand(field: str, value: Any) -> None:
    """A crop out of range cannot be built, and the text is that of the refusal, which adds where it is."""
    crop = {"crop": EncodedImage(**_PNG), "side": "left", field: value}
    with pytest.raises(ValueError, match=f"^{field}") as caught:
        HandCrop(**crop)
    assert f"{caught.value} - at `$.hands[0]`" == _refusal(_request_of_hand(**{field: value}))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: HandCrop(crop=bytes(196_608), side="up"), "side: expected one of left, right, got 'up'"),  # type: ignore[arg-type]
        (lambda: EncodedImage(codec="gif", data=b"\0"), "codec: expected one of jpeg, png, got 'gif'"),  # type: ignore[arg-type]
        (lambda: EncodedImage(codec="png", data=b""), "data: expected a length of 1 to 196608, got 0"),
        (lambda: _built(want=["colour"]), "want: expected one of keypoints, vertices, camera, mano, got 'colour'"),
        (lambda: _built(hands=[_built().hands[0]] * 9), "hands: expected a length of 1 to 8, got 9"),
        (lambda: HelloRequest(id=-1, v=1), "id: expected a number from 0 to 9007199254740992, got -1"),
        (lambda: PingRequest(id=-1, v=1), "id: expected a number from 0 to 9007199254740992, got -1"),
        (lambda: StatusRequest(id=-1, v=1), "id: expected a number from 0 to 9007199254740992, got -1"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_client_learns_of_a_mistake_before_it_sends(build: Any, text: str) -> None:
    """What the daemon would refuse for its type or its length cannot be built either."""
    with pytest.raises(ValueError, match=r"^\w+: ") as caught:
        build()
    assert str(caught.value) == text


def _built(**fields: Any) -> EstimateRequest:
    hands = [HandCrop(crop=EncodedImage(**_PNG), side="left")]
    usual = {"id": 1, "v": 1, "source": "cam", "frame": 0, "captured_at_ns": 0, "hands": hands}
    return EstimateRequest(**{**usual, **fields})


def test_the_largest_request_fits() -> None:
    """Eight raw crops with everything that may go with them stay within the limit of a request, and of a frame."""
    hand = HandCrop(crop=bytes(196_608), side="right", side_score=0.1, score=0.1, box=(0.1, 0.1, 9.9), track=2**53)
    request = _built(
        id=2**53,
        source="手" * 64,
        frame=2**53,
        captured_at_ns=2**63 - 1,
        hands=[hand] * 8,
        deadline_ms=0.1,
        publish=False,
        want=["keypoints", "vertices", "camera", "mano"],
        image_size=(65_536, 65_536),
        intrinsics=(1.1, 1.1, 1.1, 1.1),
        mirrored=True,
    )
    assert len(msgspec.msgpack.encode(request)) <= limits.MAX_REQUEST_BYTES <= limits.MAX_FRAME_BYTES


def test_a_refusal_does_not_quote_without_end() -> None:
    """However long the wrong value is, the refusal's text stays short."""
    assert len(_refusal(_request(op="x" * 1_000_000))) == 300
