"""A camera that sees hands pinch: `gestures.py RUN_DIR SOURCE STORY`. It publishes poses as the daemon would.

It waits for a subscriber, plays one of the stories below, and ends. Each scene lasts some frames; silence lasts as long
as it takes anybody to notice.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np
import zmq

from wilor_protocol.codec import encode_event
from wilor_protocol.events import HandsEvent, joints_topic
from wilor_protocol.hands import Hand
from wilor_protocol.names import JOINT_NAMES, Side
from wilor_protocol.replies import Timing
from wilor_protocol.version import PROTOCOL_VERSION

_FRAMES_EACH = 5
_FRAME_S = 0.02
_SILENCE_S = 1.0

Seen = tuple[Side, float]
"""A hand, and how far apart its thumb and index finger are, m."""


@dataclass(frozen=True)
class Scene:
    """What is seen for some frames; nothing: silence."""

    hands: tuple[Seen, ...] = ()
    epoch: str = "first"
    resumed: int = 0


OPEN: Seen = ("right", 0.09)
PINCHED: Seen = ("right", 0.01)
TREMBLING: Seen = ("right", 0.03)
OTHER_OPEN: Seen = ("left", 0.09)
OTHER_PINCHED: Seen = ("left", 0.01)

STORIES = {
    "pinch twice": [Scene((seen,)) for seen in (OPEN, PINCHED, TREMBLING, OPEN, PINCHED, OPEN)],
    "leave": [Scene((PINCHED,)), Scene(), Scene((OPEN,)), Scene((PINCHED,))],
    "two hands": [
        Scene((OPEN, OTHER_PINCHED)),
        Scene((OTHER_PINCHED, OPEN)),
        Scene((PINCHED, OTHER_OPEN)),
        Scene((OTHER_OPEN, PINCHED)),
        Scene((OTHER_PINCHED,)),
    ],
    "restart": [Scene((PINCHED,)), Scene((PINCHED,), epoch="second"), Scene((PINCHED,), epoch="second", resumed=1)],
}


def hand(side: Side, pinch_m: float) -> Hand:
    """A hand of 8 cm across whose thumb and index finger are that far apart."""
    points = np.zeros((21, 3), np.float32)
    points[JOINT_NAMES.index("little_mcp")] = (0.08, 0, 0)
    points[JOINT_NAMES.index("thumb_tip")] = (0, pinch_m, 0)
    return Hand(side=side, keypoints=points)


def event(source: str, seq: int, scene: Scene) -> bytes:
    """One frame."""
    now = time.monotonic_ns()
    timing = Timing(received_at_ns=now, queue_ms=0.0, model_ms=0.0, total_ms=0.0, batch=1)
    message = HandsEvent(
        seq=seq, epoch=scene.epoch, source=source, frame=seq, captured_at_ns=now, published_at_ns=now, timing=timing,
        model="none", hands=[hand(*seen) for seen in scene.hands], v=PROTOCOL_VERSION, resumed=scene.resumed,
    )  # fmt: skip
    return encode_event(joints_topic(source), message)


def main(run_dir: str, source: str, story: str) -> None:
    """Publish until the story is over."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as events:
        events.bind(f"ipc://{run_dir}/events")
        print("ready", flush=True)
        events.recv()
        seq = 0
        for scene in STORIES[story]:
            for _ in range(_FRAMES_EACH if scene.hands else 0):
                seq += 1
                events.send(event(source, seq, scene))
                time.sleep(_FRAME_S)
            if not scene.hands:
                time.sleep(_SILENCE_S)


main(*sys.argv[1:])
