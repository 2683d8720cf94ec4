"""Arrays cross the wire as they are, or not at all."""

from typing import Any

import msgspec
import numpy as np
import pytest

from wilor_protocol.arrays import numpy_to_wire
from wilor_protocol.codec import MalformedError, decode_message, encode
from wilor_protocol.hands import Hand, Mano
from wilor_protocol.replies import TopologyReply

_SHAPES: dict[str, tuple[int, ...]] = {
    "keypoints": (21, 3),
    "vertices": (778, 3),
    "camera": (3,),
    "keypoints_2d": (21, 2),
    "translation": (3,),
}
_MANO_SHAPES: dict[str, tuple[int, ...]] = {"global_orient": (1, 3), "hand_pose": (15, 3), "betas": (10,)}


def _wire(**changed: object) -> dict[str, Any]:
    return {"dtype": "<f4", "shape": [3], "data": np.array([1, 2, 3], "<f4").tobytes(), **changed}


def _read(camera: object) -> Hand:
    return decode_message(msgspec.msgpack.encode({"side": "left", "camera": camera}), Hand)


def test_an_array_is_a_read_only_view() -> None:
    """What was read cannot be changed, and was not copied."""
    camera = _read(_wire()).camera
    assert camera is not None
    np.testing.assert_array_equal(camera, np.array([1, 2, 3], np.float32), strict=True)
    assert not camera.flags.writeable
    assert not camera.flags.owndata


@pytest.mark.parametrize(
    ("camera", "names"),
    [
        (_wire(dtype="<f8"), "dtype"),
        (_wire(dtype=">f4"), "dtype"),
        (_wire(dtype="<i4"), "dtype"),
        (_wire(dtype="float32"), "dtype"),
        (_wire(dtype=None), "dtype"),
        (_wire(dtype=["<f4"]), "dtype"),
        (_wire(shape=[4]), "data"),
        (_wire(shape=[2]), "data"),
        (_wire(shape=[3, 1]), "camera"),
        (_wire(shape=[1, 3]), "camera"),
        (_wire(shape=[-3]), "shape"),
        (_wire(shape=[3.0]), "shape"),
        (_wire(shape=3), "shape"),
        (_wire(shape=None), "shape"),
        (_wire(shape=[0], data=b""), "camera"),
        (_wire(shape=[0, 2**62], data=b""), "camera"),
        (_wire(shape=[2**64 - 1, 0], data=b""), "camera"),
        (_wire(shape=[1] * 100 + [3]), "camera"),
        (_wire(data=b"\0" * 11), "data"),
        (_wire(data=b"\0" * 13), "data"),
        (_wire(data="twelve chars"), "data"),
        (_wire(data=[1.0, 2.0, 3.0]), "data"),
        (_wire(data=None), "data"),
        ([1.0, 2.0, 3.0], "map"),
        (b"\0" * 12, "map"),
        (1.5, "map"),
        ({}, "dtype"),
    ],
    ids=lambda case: repr(case)[:60],
)
def test_what_is_not_that_array_is_malformed(camera: object, names: str) -> None:
    """The text names the part of the array that is wrong, and the field."""
    with pytest.raises(MalformedError, match=names) as caught:
        _read(camera)
    assert "camera" in str(caught.value)


def test_an_unknown_part_of_an_array_is_ignored() -> None:
    """Fields may be added to the map of an array, too."""
    assert _read(_wire(unit="m")).camera is not None


@pytest.mark.parametrize("field", _SHAPES)
def test_a_hand_checks_its_shapes(field: str) -> None:
    """A hand cannot be built with an array of another shape."""
    right = np.zeros(_SHAPES[field], np.float32)
    assert _hand(field, right)
    for wrong in (right[:-1], right[None], right[..., None]):
        with pytest.raises(ValueError, match=f"^{field}: expected an array of shape"):
            _hand(field, wrong)


def _hand(field: str, value: Any) -> Hand:
    fields: dict[str, Any] = {"side": "left", field: value}
    return Hand(**fields)


@pytest.mark.parametrize("field", _MANO_SHAPES)
def test_mano_checks_its_shapes(field: str) -> None:
    """Parameters cannot be built with an array of another shape."""
    right = {name: np.zeros(shape, np.float32) for name, shape in _MANO_SHAPES.items()}
    assert Mano(**right)
    for wrong in (right[field][:-1], right[field][None]):
        with pytest.raises(ValueError, match=f"^{field}: expected an array of shape"):
            Mano(**{**right, field: wrong})


@pytest.mark.parametrize(
    "keypoints",
    [
        np.arange(63, dtype=np.float32).reshape(3, 21).T,
        np.arange(126, dtype=np.float32).reshape(42, 3)[::2],
        np.arange(63, dtype=np.float32).reshape(21, 3)[::-1],
    ],
    ids=["transposed", "strided", "reversed"],
)
def test_any_layout_in_memory_arrives_row_major(keypoints: Any) -> None:
    """The numbers arrive where they were, however they lay in memory."""
    arrived = decode_message(encode(Hand(side="right", keypoints=keypoints)), Hand).keypoints
    np.testing.assert_array_equal(arrived, keypoints, strict=True)


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4", "int64", "uint8", "bool", "object"])
def test_other_element_types_do_not_leave(dtype: str) -> None:
    """An array of another element type is not converted in silence."""
    with pytest.raises(ValueError, match=r"^arrays travel as float32 or int32, got "):
        numpy_to_wire(np.zeros(3, dtype))


def test_int32_arrays_stay_int32() -> None:
    """Faces are integers, and float32 in their place is malformed."""
    names: dict[str, Any] = {"joint_names": (), "joint_parents": (), "rotation_names": (), "rotation_parents": ()}
    faces = np.arange(6, dtype=np.int32).reshape(2, 3)
    arrived = decode_message(encode(TopologyReply(id=1, faces=faces, **names)), TopologyReply).faces
    np.testing.assert_array_equal(arrived, faces, strict=True)
    floats: Any = faces.astype(np.float32)
    with pytest.raises(MalformedError, match="dtype"):
        decode_message(encode(TopologyReply(id=1, faces=floats, **names)), TopologyReply)


def test_what_is_no_array_has_no_bytes() -> None:
    """A message that holds something else cannot be encoded."""
    wrong: Any = Hand(side="left", focal_px=object())  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match=r"^object has no form on the wire$"):
        encode(wrong)


def test_keypoints_from_the_wrist() -> None:
    """Relative to the wrist, the wrist is at the origin and the rest keeps its distance from it."""
    keypoints = np.arange(63, dtype=np.float32).reshape(21, 3)
    relative = Hand(side="left", keypoints=keypoints).keypoints_from_wrist
    assert relative is not None
    np.testing.assert_array_equal(relative, keypoints - np.array([0, 1, 2], np.float32), strict=True)
    assert Hand(side="left").keypoints_from_wrist is None


def test_a_hand_without_mesh_keeps_the_rest() -> None:
    """Only vertices and MANO's parameters go."""
    arrays: dict[str, Any] = {name: np.zeros(shape, np.float32) for name, shape in _SHAPES.items()}
    mano = Mano(**{name: np.zeros(shape, np.float32) for name, shape in _MANO_SHAPES.items()})
    hand = Hand(side="left", side_score=0.5, score=0.25, track=3, focal_px=9.0, mano=mano, **arrays)
    small = hand.without_mesh()
    kept = {name for name in hand.__struct_fields__ if getattr(small, name) is getattr(hand, name)}
    assert set(hand.__struct_fields__) - kept == {"vertices", "mano"}
    assert small.vertices is None
    assert small.mano is None
    assert len(encode(small)) < 1024
