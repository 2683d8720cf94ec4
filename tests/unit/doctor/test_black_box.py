"""The doctor's tests of a running daemon, each against a daemon that breaks just what it looks at."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.setup.test_parts import hand

from wilor_client import ClientKeys, HandClient, RefusedError
from wilor_protocol.errors import ErrorCode, WireError
from wilor_sidecar.doctor.black_box import Examination, FailedError, MadeModel, NotTriedError, Target
from wilor_sidecar.setup.probe import Probe, probe_crop

KEYPOINTS = hand().astype(np.float32)
CROP = probe_crop()[0]


def probe_of(points: NDArray[np.floating]) -> Probe:
    """As `setup` would have stored it."""
    return Probe([(float(x), float(y), float(z)) for x, y, z in points], (1.0, 0.0, 0.0), "cpu", "0")


@dataclass
class StandIn:
    """A client whose daemon is right, but for what is changed.

    Attributes:
        answers: called with the crops and the side: (N, 21, 3) key points.
        status_s: how long a status takes.
        refuses: what a frame that is too old gets; None: an answer.
    """

    answers: Callable[[list[NDArray[np.uint8]], str], NDArray[np.floating]]
    status_s: float = 0.0
    refuses: ErrorCode | None = ErrorCode.EXPIRED
    address: str = "ipc:///nowhere"
    source: str = "doctor"
    asked: list[str] = field(default_factory=list)

    def status(self) -> None:
        """Be slow, if it must be."""
        if self.status_s:
            time.sleep(self.status_s)

    def hello(self) -> Any:
        """Serve the made model."""
        return SimpleNamespace(model=SimpleNamespace(name="made"))

    def estimate(self, hands: Any, side: str = "right", **options: Any) -> Any:
        """Answer."""
        self.asked.append(side)
        if "deadline_ms" in options and self.refuses:
            raise RefusedError(WireError(code=self.refuses, message="too old", retryable=False))
        crops = [hands] if isinstance(hands, np.ndarray) else [np.frombuffer(hand.crop, np.uint8) for hand in hands]
        return SimpleNamespace(hands=[SimpleNamespace(keypoints=points) for points in self.answers(crops, side)])


def right(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """As a daemon should answer: another crop, another hand."""
    mirror = (-1, 1, 1) if side == "left" else (1, 1, 1)
    return np.array([KEYPOINTS * mirror + hand_of(crop) for crop in crops], np.float32)


def hand_of(crop: NDArray[np.uint8]) -> float:
    """Where a crop's hand is, m: nowhere special for the drawn one, and farther off the brighter another is."""
    return float(crop.mean() - CROP.mean()) / 100


def examine(client: StandIn, made: MadeModel | None = None) -> Examination:
    """The tests against it."""
    return Examination(cast(HandClient, client), Target(None, None, made))


CALM = (
    "status_is_quick",
    "answers_a_hand",
    "same_crop_same_answer",
    "left_is_right_mirrored",
    "batch_is_its_crops",
    "answer_is_the_stored_one",
    "old_frames_are_refused",
    "speed",
)


@pytest.mark.parametrize("test", CALM)
def test_a_good_daemon_passes(test: str) -> None:
    """No test finds fault where there is none."""
    assert getattr(examine(StandIn(right), MadeModel("made", probe_of(KEYPOINTS))), test)()


def jitters(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """Never the same twice."""
    return right(crops, side) + np.float32(1e-6 * np.random.default_rng().random())


def forgets_to_mirror(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """A left hand's x as the network says it."""
    return right(crops, "right")


def drifts(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """Each hand of a batch a bit farther off."""
    return right(crops, side) + 0.001 * np.arange(len(crops))[:, None, None]


def mixes_up(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """Each hand gets its neighbour's answer."""
    return np.roll(right(crops, side), 1, axis=0)


def forgets_the_eighth(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """The last of a full frame is anything."""
    answers = right(crops, side)
    answers[7:] = 9.9
    return answers


def loses_one(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """A full frame comes back short."""
    return right(crops, side)[:7]


def answers_a_point(crops: list[NDArray[np.uint8]], side: str) -> NDArray[np.floating]:
    """No hand."""
    return 0 * right(crops, side)


@pytest.mark.parametrize(
    ("test", "client", "message"),
    [
        ("status_is_quick", StandIn(right, status_s=0.02), "promised are 10"),
        ("answers_a_hand", StandIn(answers_a_point), "no hand"),
        ("same_crop_same_answer", StandIn(jitters), "mm apart"),
        ("left_is_right_mirrored", StandIn(forgets_to_mirror), "from the mirrored answer"),
        ("batch_is_its_crops", StandIn(drifts), "hand 8 of 8 is 7 mm from its answer alone"),
        ("batch_is_its_crops", StandIn(mixes_up), "mm from its answer alone"),
        ("batch_is_its_crops", StandIn(forgets_the_eighth), "hand 8 of 8 is"),
        ("batch_is_its_crops", StandIn(loses_one), "7 hands came back of 8"),
        ("old_frames_are_refused", StandIn(right, refuses=None), "expected a refusal"),
        ("old_frames_are_refused", StandIn(right, refuses=ErrorCode.BUSY), "refused as busy, expected expired"),
    ],
)
def test_each_fault_is_found(test: str, client: StandIn, message: str) -> None:
    """By the test that looks for it, which says how far off it is."""
    with pytest.raises(FailedError, match=message):
        getattr(examine(client), test)()


def test_another_answer_than_the_stored_one() -> None:
    """Found when the model is the one it was stored for; another model is not compared."""
    client = StandIn(right)
    far = probe_of(KEYPOINTS + 0.003)
    with pytest.raises(FailedError, match=r"5\.196 mm from what the model answered when it was made"):
        examine(client, MadeModel("made", far)).answer_is_the_stored_one()
    for made in (MadeModel("another", far), None):
        with pytest.raises(NotTriedError, match="no stored answer"):
            examine(client, made).answer_is_the_stored_one()


@pytest.mark.parametrize("test", ["garbage_is_refused", "oversize_harms_nobody"])
def test_what_keys_keep_out_is_not_tried(test: str) -> None:
    """It needs a connection without a client's care, which only keys would be let in by."""
    examination = Examination(cast(HandClient, StandIn(right)), Target(None, cast(ClientKeys, "keys"), None))
    with pytest.raises(NotTriedError, match="keys"):
        getattr(examination, test)()
