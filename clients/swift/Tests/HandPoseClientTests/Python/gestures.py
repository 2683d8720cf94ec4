"""A camera that sees hands pinch: `gestures.py RUN_DIR SOURCE STORY`. It publishes poses as the daemon would.

It waits for a subscriber, plays one of the stories below, and stops publishing; it ends with its standard input. Each
scene lasts some frames, and until standard input has had a line for each click that has to come of it: who is slow
misses none. When that input ends nobody is waited for.
"""

import sys
import threading
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
_MANY = 1000

Seen = tuple[Side, float]
"""A hand, and how far apart its thumb and index finger are, m."""


@dataclass(frozen=True)
class Scene:
    """What is seen for some frames, nothing is silence; and how many clicks come of it."""

    hands: tuple[Seen, ...] = ()
    clicks: int = 0
    epoch: str = "first"
    resumed: int = 0


OPEN: Seen = ("right", 0.09)
PINCHED: Seen = ("right", 0.01)
TREMBLING: Seen = ("right", 0.03)
OTHER_OPEN: Seen = ("left", 0.09)
OTHER_PINCHED: Seen = ("left", 0.01)

STORIES = {
    "pinch twice": [
        Scene((OPEN,)),
        Scene((TREMBLING,)),
        Scene((PINCHED,), clicks=1),
        Scene((TREMBLING,)),
        Scene((OPEN,), clicks=1),
        Scene((PINCHED,), clicks=1),
        Scene((OPEN,), clicks=1),
    ],
    "leave": [Scene((PINCHED,), clicks=1), Scene(clicks=1), Scene((OPEN,)), Scene((PINCHED,), clicks=1)],
    "two hands": [
        Scene((OPEN, OTHER_PINCHED)),
        Scene((OTHER_PINCHED, OPEN)),
        Scene((PINCHED, OTHER_OPEN), clicks=1),
        Scene((OTHER_OPEN, PINCHED)),
        Scene((OTHER_PINCHED,), clicks=1),
    ],
    "restart": [
        Scene((PINCHED,), clicks=1),
        Scene((PINCHED,), clicks=2, epoch="second"),
        Scene((PINCHED,), clicks=2, epoch="second", resumed=1),
    ],
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


def read_clicks(seen: threading.Semaphore) -> None:
    """Count the lines of standard input."""
    for _ in sys.stdin:
        seen.release()
    seen.release(_MANY)


def main(run_dir: str, source: str, story: str) -> None:
    """Publish until the story is over."""
    seen = threading.Semaphore(0)
    reader = threading.Thread(target=read_clicks, args=(seen,))
    reader.start()
    with zmq.Context() as context, context.socket(zmq.XPUB) as events:
        events.bind(f"ipc://{run_dir}/events")
        print("ready", flush=True)
        events.recv()
        seq = 0
        for scene in STORIES[story]:
            frames, clicks = 0, 0
            while frames < _FRAMES_EACH or clicks < scene.clicks:
                frames += 1
                if scene.hands:
                    seq += 1
                    events.send(event(source, seq, scene))
                clicks += seen.acquire(timeout=_FRAME_S)
    reader.join()


main(*sys.argv[1:])
